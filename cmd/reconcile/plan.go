package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
)

type planOptions struct {
	engineFlags
	out      string
	detailed bool
}

func planCommand() *command {
	var o planOptions
	c := &command{
		name:    "plan",
		usage:   "[flags]",
		summary: "Show what an apply would do, and change nothing",
		help: `Reads the listings, the manifests and the user mapping exactly. What would need
the rows decoded is an estimate, marked ~, unless -exact is given. A plan can
run beside an apply. With -out=FILE the plan is saved: ` + "`reconcile show FILE`" + ` shows
it, and ` + "`reconcile apply FILE`" + ` does what it says, or refuses.

With -config-only it compares the configuration with what each table was last
applied under, and reads the state and nothing else. Nights in between leave such
a plan as it is, unless they bring a table or column that the change touches.

A sensitive variable needs no value here: what depends on it is not checked.

Exit codes: 0; 1 on an error; 2 with -detailed-exitcode when there are changes,
held or not; where 2 does not apply, 3 when something is held, and 13 when a guard
holds it, neither with -config-only.

With -refresh-only it says whether the sinks hold what the state says, and nothing
else: -detailed-exitcode ends with 2 only for what others changed there.

Words: a full resync makes void what a table had before. Users are merged into one
person, or parted again. Rows are re-keyed when their user becomes another person;
those that are the same event then collapse into one, and are revived when that is
taken back. What is held waits, and the rest goes on. The glossary is in
docs/architecture.md.`,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
		c.common.logFlags(f)
		c.common.compactFlag(f)
		f.StringVar(&o.out, "out", "", "save the plan to `FILE`, for `reconcile apply FILE`")
		f.Bool("input", true, "changes nothing: a plan never asks")
		f.Bool("lock", true, "changes nothing: a plan takes no lock")
		f.Duration("lock-timeout", 0, "changes nothing: a plan takes no lock and waits for none, as `2m`")
		f.BoolVar(&o.configOnly, "config-only", false, "compare the configuration with the state alone")
		f.BoolVar(&o.detailed, "detailed-exitcode", false, "exit with 2 when there are changes")
		f.BoolVar(&o.refreshOnly, "refresh-only", false, "only compare the sinks with the state, and read no source")
	}
	c.run = func(ctx context.Context, s *session, _ []string) (int, error) {
		if err := o.check(); err != nil {
			return 0, err
		}
		return runPlan(ctx, s, &o)
	}
	return c
}

// check refuses flags that do not go together.
func (o *planOptions) check() error {
	given := slices.DeleteFunc(o.ofPlans(), func(name string) bool { return name == "-target" })
	if o.out != "" {
		given = append(given, "-out")
	}
	if o.configOnly {
		given = append(given, "-config-only")
	}
	if o.refreshOnly && len(given) > 0 {
		return fmt.Errorf("plan -refresh-only: %s: it compares the sinks with the state, and plans nothing", strings.Join(given, ", "))
	}
	return nil
}

func runPlan(ctx context.Context, s *session, o *planOptions) (code int, err error) {
	if o.configOnly {
		return runPlanConfig(ctx, s, o)
	}
	o.inputs = o.out != ""
	e, cfg, err := s.engine(ctx, &o.engineFlags)
	if err != nil {
		return 0, err
	}
	defer o.collectLate()()
	p, err := e.Plan(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	p.Folder = folderOfPlan(s.chdir)
	s.warn(p.Warnings())
	s.view.plan(&p.Plan)
	if o.out != "" {
		if err := s.savePlan(o, cfg, &p.Plan); err != nil {
			return 0, err
		}
	}
	if o.detailed && p.Changes() {
		return exitChanges, nil
	}
	return heldCode(p.Holds, len(p.Holds) > 0), nil
}
