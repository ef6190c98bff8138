package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/engine/plan"
	"reconcile/engine/planfile"
	"reconcile/engine/planner"
	"reconcile/internal/plain"
	"reconcile/internal/shell"
)

// staleError says that a saved plan is not of what is there now. Nothing was applied.
type staleError struct {
	file       string
	configOnly bool // the plan is of what the configuration changes alone
	reasons    []string
}

func (e *staleError) Error() string { return oneLine(e) }

func (e *staleError) list() (head string, items []string, rest string) {
	only := ""
	if e.configOnly {
		only = "-config-only "
	}
	return fmt.Sprintf("the plan in %s is stale, and nothing was applied:", e.file), e.reasons, fmt.Sprintf("Make it again: `reconcile plan %s%s`", only, outFlag(e.file))
}

// listError is an error of several parts, of which each has a line of its own where there
// is room for lines.
type listError interface {
	error
	list() (head string, items []string, rest string)
}

// oneLine is a list as one line.
func oneLine(e listError) string {
	head, items, rest := e.list()
	return head + " " + strings.Join(items, "; ") + ". " + rest
}

// outFlag is the flag that writes a plan to a file, as a shell takes it.
func outFlag(file string) string { return shell.Word("-out=" + file) }

// guardedError says that guards hold what a saved plan would do. Nothing was applied.
type guardedError struct {
	file  string
	holds []plan.Hold
}

func (e *guardedError) Error() string { return oneLine(e) }

func (e *guardedError) list() (head string, items []string, rest string) {
	for _, h := range e.holds {
		items = append(items, fmt.Sprintf("table.%s: %s", h.Table, h.Reason))
	}
	return fmt.Sprintf("the plan in %s cannot be carried out, and nothing was applied:", e.file), items, fmt.Sprintf("An -accept is given to `reconcile plan %s`", outFlag(e.file))
}

// refuseStale says why tables are not as a saved plan has them: by guards, where these hold
// some of them now.
func refuseStale(file string, saved *plan.Plan, now *planner.Session, stale []plan.Difference) error {
	held := slices.DeleteFunc(slices.Clone(now.Holds), func(h plan.Hold) bool {
		return h.Guard == "" || !slices.ContainsFunc(stale, func(d plan.Difference) bool { return d.Table == h.Table }) ||
			slices.ContainsFunc(saved.Holds, func(was plan.Hold) bool { return was.Table == h.Table && was.Accept == h.Accept })
	})
	if len(held) > 0 {
		return &guardedError{file, held}
	}
	return &staleError{file: file, reasons: differences(stale)}
}

// savedPlanLine says where a plan was saved.
type savedPlanLine struct {
	File string `json:"file"`
}

// savePlan writes a plan to the file that -out names.
func (s *session) savePlan(o *planOptions, cfg *config.Config, p *plan.Plan) error {
	digest, err := cfg.Digest()
	if err != nil {
		return err
	}
	saved := &planfile.File{Program: programVersion(), Config: digest, Plan: p, Command: planfile.Command{
		Targets: o.targets, Replace: o.replace, Accept: o.accept, AcceptLoss: o.acceptLoss, AcceptManifest: o.acceptManifest, ForgetSinks: o.forgetSinks,
		MovedSinks: o.movedSinks, SinksLost: o.sinksLost, StatesLost: o.statesLost, AllowDestroy: o.allowDestroy, Repair: o.repair}}
	for _, in := range cfg.PlainInputs {
		saved.Command.Variables = append(saved.Command.Variables, planfile.Variable{Name: in.Name, Value: in.Value, IsExpression: in.IsExpression})
	}
	if err := planfile.Write(o.out, saved); err != nil {
		return err
	}
	s.view.record("saved_plan", savedPlanLine{o.out}, "\nSaved the plan. To do exactly that: reconcile apply %s\n", shell.Word(o.out))
	return nil
}

// readSaved reads a saved plan.
func readSaved(file string) (*planfile.File, error) {
	saved, err := planfile.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s. A saved plan is written by `reconcile plan -out=FILE`%s", file, ofTable(file))
	}
	return saved, err
}

// ofTable says how a table is named, where a name does not look like that of a file.
func ofTable(file string) string {
	if strings.ContainsAny(file, "./\\") {
		return ""
	}
	return "; a table is named as " + shell.Word("table."+file)
}

// showSaved shows the plan in a file.
func (s *session) showSaved(o *showOptions, file string) error {
	saved, err := readSaved(file)
	switch {
	case err != nil:
		return err
	case !o.markdown:
		s.view.plan(saved.Plan)
		return nil
	}
	text, err := markdownPlan(saved.Plan, markdownOptions{file: file, commit: o.commit}).Render(o.maxBytes)
	if err != nil {
		return fmt.Errorf("-max-bytes: %w", err)
	}
	say(s.out, "%s", plain.Trusted(text))
	return nil
}

// runApplySaved does what a saved plan says, or refuses before anything is changed.
func runApplySaved(ctx context.Context, s *session, o *applyOptions, file string) (int, error) {
	if given := o.ofPlans(); len(given) > 0 {
		return 0, fmt.Errorf("apply %s: %s: what a saved plan does was decided when it was made; give it to `reconcile plan %s`", file, strings.Join(given, ", "), outFlag(file))
	}
	if o.waitForNew > 0 {
		return 0, fmt.Errorf("apply %s: -wait-for-new: a saved plan names its dumps, and there is nothing to wait for", file)
	}
	saved, err := readSaved(file)
	if err != nil {
		return 0, err
	}
	if v := programVersion(); saved.Program != v {
		return 0, &staleError{file, saved.Plan.ConfigOnly, []string{fmt.Sprintf("it was made by version %s of reconcile, and this is %s", saved.Program, v)}}
	}
	if o.configOnly && !saved.Plan.ConfigOnly {
		return 0, fmt.Errorf("apply %s: -config-only: the plan in it is one of all; make it with `reconcile plan -config-only %s`", file, outFlag(file))
	}
	o.take(saved)
	o.configOnly = saved.Plan.ConfigOnly
	return s.locked(ctx, o, func(ctx context.Context, at applied) (*planner.Session, error) {
		if err := s.checkExpected(ctx, at, o.expect); err != nil {
			return nil, err
		}
		if saved.Plan.ConfigOnly {
			return s.applySavedConfig(ctx, at, file, saved.Plan)
		}
		return s.rederive(ctx, at, file, saved)
	})
}

// rederive makes the plan of a file again under the lock, and refuses where it is another.
func (s *session) rederive(ctx context.Context, at applied, file string, saved *planfile.File) (*planner.Session, error) {
	digest, err := at.config.Digest()
	if err != nil {
		return nil, err
	}
	if digest != saved.Config {
		return nil, &staleError{file: file, reasons: []string{"the configuration has changed: the source, what is left out of it, the sinks, or tables that were removed"}}
	}
	p, stale, err := at.engine.Rederive(ctx, at.lock, saved.Plan)
	switch {
	case errors.Is(err, plan.ErrOtherState):
		return nil, &staleError{file: file, reasons: []string{err.Error()}}
	case err != nil:
		return nil, err
	case len(stale) > 0:
		return p, refuseStale(file, saved.Plan, p, stale)
	}
	s.warn(p.Warnings())
	s.view.plan(&p.Plan)
	return p, at.engine.Refusal(&p.Plan)
}

// differences says what has changed of each table.
func differences(stale []plan.Difference) (out []string) {
	for _, d := range stale {
		out = append(out, fmt.Sprintf("table.%s: %s", d.Table, strings.Join(d.What, ", ")))
	}
	return out
}

// ofPlans lists the flags, of those given, that only a plan takes.
func (e *engineFlags) ofPlans() (out []string) {
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"-target", len(e.targets) > 0}, {"-accept", len(e.accept) > 0}, {"-accept-loss", len(e.acceptLoss) > 0}, {"-accept-manifest", len(e.acceptManifest) > 0},
		{"-forget-sink", len(e.forgetSinks) > 0}, {"-moved-sink", len(e.movedSinks) > 0}, {"-sink-lost", len(e.sinksLost) > 0},
		{"-state-lost", len(e.statesLost) > 0}, {"-replace", len(e.replace) > 0}, {"-allow-destroy", e.allowDestroy}, {"-repair", e.repair}, {"-exact", e.exact}, {"-refresh", !e.refresh},
	} {
		if f.given {
			out = append(out, f.name)
		}
	}
	return out
}

// take sets the flags that a plan was made with.
func (e *engineFlags) take(saved *planfile.File) {
	c := saved.Command
	e.targets, e.accept, e.acceptLoss, e.acceptManifest = c.Targets, c.Accept, c.AcceptLoss, c.AcceptManifest
	e.forgetSinks, e.movedSinks, e.sinksLost, e.statesLost = c.ForgetSinks, c.MovedSinks, c.SinksLost, c.StatesLost
	e.replace = c.Replace
	e.allowDestroy, e.repair, e.refresh, e.inputs = c.AllowDestroy, c.Repair, !saved.Plan.Unchecked, true
	e.saved, e.onlySecrets = nil, true
	for _, v := range c.Variables {
		e.saved = append(e.saved, config.Input{Name: v.Name, Value: v.Value, IsExpression: v.IsExpression})
	}
}

// refusePlainInputs refuses values of variables that are not sensitive: those that count
// are in the saved plan.
func (c *configFlags) refusePlainInputs(cfg *config.Config) error {
	var names []string
	left := c.saved // one of them may be of a variable that is sensitive now
	for _, in := range cfg.PlainInputs {
		if i := slices.Index(left, in); i >= 0 {
			left = left[i+1:]
			continue
		}
		names = append(names, in.Name)
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("-var, -var-file: %s: the values that the plan was made with are in the file, but those of sensitive variables; to change others, make the plan again with them", strings.Join(names, ", "))
}
