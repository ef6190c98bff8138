package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/exec"
	"reconcile/engine/planner"
	"reconcile/engine/work"
	"reconcile/internal/cgroup"
)

// session is one run of a command.
type session struct {
	*program
	view    view
	log     *slog.Logger
	sources config.Sources // of the configuration, once it was read
	meter   func(work.Progress)
	watch   *watch // of an apply; nil of other commands
}

// configFlags choose the values of variables.
type configFlags struct {
	inputs      []config.Input
	saved       []config.Input // of a saved plan; they come first
	onlySecrets bool           // inputs may set sensitive variables only
	needsKeys   bool           // masks are computed, so that sensitive variables need values
	looksOnly   bool           // the state is read and nothing is planned: warnings are for those who plan
}

func (c *configFlags) register(f *flag.FlagSet) {
	f.Func("var", "set a variable, as `NAME=VALUE`; can be repeated", func(arg string) error {
		in, err := config.ParseVar(arg)
		if err == nil {
			c.inputs = append(c.inputs, in)
		}
		return err
	})
	f.Func("var-file", "set variables from `FILE`; can be repeated", func(arg string) error {
		if arg == "" {
			return errors.New("it needs the name of a file")
		}
		c.inputs = append(c.inputs, config.Input{File: arg})
		return nil
	})
}

// engineFlags are those that plan and apply share.
type engineFlags struct {
	configFlags
	targets, replace    []string
	accept, acceptLoss  []string
	forgetSinks         []string
	movedSinks          []string
	sinksLost           []string
	statesLost          []string
	acceptManifest      []int64
	exact, allowDestroy bool
	repair              bool
	refresh             bool
	refreshOnly         bool
	inputs              bool // the plan is to be saved
	configOnly          bool // what the configuration changes alone
	parallelism         int
	lockTimeout         time.Duration
}

func (e *engineFlags) register(f *flag.FlagSet) {
	e.configFlags.register(f)
	f.Func("target", "only this table, as `table.NAME`; can be repeated", addresses(&e.targets))
	f.Func("replace", "rebuild this table from the source although nothing has changed, as `table.NAME`; can be repeated", addresses(&e.replace))
	f.Func("accept", "let through what a guard or a check holds, by the `NAME` that the hold prints; can be repeated", nonEmpty(&e.accept))
	f.Func("accept-loss", "let `TABLE` be rebuilt without dumps that are gone from the source; can be repeated", nonEmpty(&e.acceptLoss))
	f.Func("forget-sink", "forget the sink at `PATH`, which left the configuration, with its files; can be repeated", nonEmpty(&e.forgetSinks))
	f.Func("sink-lost", "write the sink at `PATH` anew, which is not there any more; can be repeated", nonEmpty(&e.sinksLost))
	f.Func("state-lost", "go on without the state at `PLACE`, which a sink names and which is gone for good; can be repeated", nonEmpty(&e.statesLost))
	f.Func("moved-sink", "the sink at OLD was moved to NEW, as `OLD=NEW`; can be repeated", nonEmpty(&e.movedSinks))
	f.Func("accept-manifest", "take the changed manifest of dump `ID`; can be repeated", func(arg string) error {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return errors.New("it needs the number of a dump")
		}
		e.acceptManifest = append(e.acceptManifest, id)
		return nil
	})
	f.BoolVar(&e.exact, "exact", false, "decode rows to give exact numbers instead of estimates")
	f.BoolVar(&e.allowDestroy, "allow-destroy", false, "let the configuration destroy data for good")
	f.BoolVar(&e.repair, "repair", false, "write anew the tables whose hold names this flag")
	f.BoolVar(&e.refresh, "refresh", true, "do not compare the sinks with the state")
	e.parallelFlag(f)
}

// parallelFlag adds -parallelism.
func (e *engineFlags) parallelFlag(f *flag.FlagSet) {
	f.Func("parallelism", "work on `N` things at once (default: as many as there are processors)", func(arg string) (err error) {
		if e.parallelism, err = strconv.Atoi(arg); err != nil || e.parallelism < 1 {
			return errors.New("it needs a number from 1 on")
		}
		return nil
	})
}

func nonEmpty(list *[]string) func(string) error {
	return func(arg string) error {
		if arg == "" {
			return errors.New("it needs a name")
		}
		*list = append(*list, arg)
		return nil
	}
}

// addresses takes addresses of tables.
func addresses(list *[]string) func(string) error {
	take := nonEmpty(list)
	return func(arg string) error { return take(addressOf(arg)) }
}

// configError carries the diagnostics of a configuration that cannot be used.
type configError struct{ diags hcl.Diagnostics }

func (e *configError) Error() string { return e.diags.Error() }

// options are what a configuration is evaluated with that this process works by.
func (s *session) options(inputs []config.Input) config.Options {
	return config.Options{AllowMissingKeys: true, Inputs: inputs, Env: s.getenv, Version: programVersion(), CgroupMemory: cgroup.MemoryLimit(s.machine)}
}

// load reads the configuration of the working directory, and shows its warnings to those
// who plan.
func (s *session) load(c *configFlags) (*config.Config, error) {
	o := s.options(slices.Concat(c.saved, c.inputs))
	o.AllowMissingKeys = !c.needsKeys
	cfg, sources, diags := config.Load(".", o)
	s.sources = sources
	if diags.HasErrors() {
		return nil, &configError{diags}
	}
	if c.onlySecrets {
		if err := c.refusePlainInputs(cfg); err != nil {
			return nil, err
		}
	}
	s.log.Debug("configuration read", "folder", cfg.Dir)
	if !c.looksOnly {
		s.warn(diags)
	}
	s.limitMemory(cfg, 0)
	return cfg, nil
}

func (s *session) warn(diags hcl.Diagnostics) {
	if len(diags) > 0 {
		s.view.diagnostics(s.sources, diags)
	}
}

const (
	bytesPerMapping = 40
	// programPages is what the program itself has resident, which the runtime does not count,
	// and what is allocated while it still finds garbage.
	programPages = 32 << 20
	// outsideHeap is the part of the rest, in percent, for what else it does not count:
	// stacks of the system, mapped files, fragmentation.
	outsideHeap = 10
)

// limitMemory tells the runtime how much it may use: what may be resident with the
// memory_limit, and what the user mapping takes on top of it.
func (s *session) limitMemory(cfg *config.Config, mappings int) {
	debug.SetMemoryLimit((exec.Resident(cfg.MemoryLimit)-programPages)/100*(100-outsideHeap) + int64(mappings)*bytesPerMapping)
}

// planGC is the growth of the heap, in percent, before a plan collects garbage: most
// plans end before it is worth the while, as those do that need less than 32 MiB. The
// limit of memory stands all the same.
const planGC = 800

// applyGC is the same for an apply. What it holds is rows, in which there is nothing
// to look for: collecting garbage often costs little, and leaves room for more rows.
const applyGC = 50

// collectLate holds for a plan unless it reads rows. What it returns takes it back.
func (o *engineFlags) collectLate() func() {
	if o.exact {
		return func() {}
	}
	was := debug.SetGCPercent(planGC)
	return func() { debug.SetGCPercent(was) }
}

// engine loads the configuration and returns an engine for it.
func (s *session) engine(ctx context.Context, o *engineFlags) (*engine.Engine, *config.Config, error) {
	cfg, err := s.load(&o.configFlags)
	if err != nil {
		return nil, nil, err
	}
	opts := engine.Options{
		Options: planner.Options{Targets: o.targets, NoRefresh: !o.refresh, RefreshOnly: o.refreshOnly, Inputs: o.inputs, AcceptManifest: o.acceptManifest, ForgetSinks: o.forgetSinks,
			MovedSinks: o.movedSinks, Replace: o.replace, SinksLost: o.sinksLost, Repair: o.repair, ConfigOnly: o.configOnly},
		Program: programVersion(), Exact: o.exact, StatesLost: o.statesLost, AllowDestroy: o.allowDestroy,
		LockTimeout: o.lockTimeout, Parallelism: o.parallelism,
		Progress: func(now work.Progress) {
			if s.meter != nil {
				s.meter(now)
			}
			if s.hooks.onProgress != nil && now.RowsRead > 0 {
				s.hooks.onProgress()
			}
		},
		Now:    s.now,
		Tuning: engine.Tuning{Lease: s.hooks.lease, Format: s.hooks.format},
	}
	for _, name := range o.accept {
		opts.Accept = append(opts.Accept, strings.TrimPrefix(name, "table."))
	}
	for _, t := range o.acceptLoss {
		opts.AcceptLoss = append(opts.AcceptLoss, tableName(t))
	}
	e, err := engine.New(ctx, cfg, opts)
	if s.watch != nil {
		s.watch.cfg, s.watch.engine = cfg, e
	}
	return e, cfg, err
}

// reader is engine for commands that only read the state.
func (s *session) reader(ctx context.Context, c *configFlags) (*engine.Engine, error) {
	o := &engineFlags{configFlags: *c, refresh: true}
	o.looksOnly = true
	e, _, err := s.engine(ctx, o)
	return e, err
}

// fail shows why a command failed.
func (s *session) fail(err error, code int) {
	var ofConfig *configError
	var ofTables *planner.DiagnosticsError
	switch {
	case errors.As(err, &ofConfig):
		s.view.diagnostics(s.sources, ofConfig.diags)
	case errors.As(err, &ofTables):
		s.view.diagnostics(s.sources, ofTables.Diags)
	case code == exitInterrupted && errors.Is(err, context.Canceled):
	default:
		for _, e := range separate(err) {
			s.view.failure(e, code)
		}
	}
	if code == exitInterrupted {
		s.view.failure(errInterrupted, code)
	}
}

// errInterrupted is shown after Ctrl-C.
var errInterrupted = errors.New("interrupted. Every table is as it was or as it should be once the next `reconcile apply` has gone on from here")

// separate takes joined errors apart.
func separate(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		if isJoin(err, j.Unwrap()) {
			var out []error
			for _, e := range j.Unwrap() {
				out = append(out, separate(e)...)
			}
			return out
		}
	}
	return []error{err}
}

// isJoin reports whether an error says no more than its parts do.
func isJoin(err error, parts []error) bool {
	var texts []string
	for _, p := range parts {
		texts = append(texts, p.Error())
	}
	return err.Error() == strings.Join(texts, "\n")
}
