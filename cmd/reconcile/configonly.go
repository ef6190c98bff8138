package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"reconcile/engine"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
)

// unexpectedError says that the configuration changes something else than -expect says.
// Nothing was applied.
type unexpectedError struct{ want, have string }

func (e *unexpectedError) Error() string {
	return fmt.Sprintf("-expect=%s: nothing was applied, as what the configuration changes is listed above and has the digest %s. Review it, and give that digest", e.want, e.have)
}

// runPlanConfig shows what the configuration changes alone.
func runPlanConfig(ctx context.Context, s *session, o *planOptions) (int, error) {
	if given := o.ofAll(); len(given) > 0 {
		return 0, fmt.Errorf("-config-only: %s: such a plan compares the configuration with the state as a whole, and reads nothing else", strings.Join(given, ", "))
	}
	e, cfg, err := s.engine(ctx, &o.engineFlags)
	if err != nil {
		return 0, err
	}
	part, err := s.configPart(ctx, applied{engine: e})
	if err != nil {
		return 0, err
	}
	s.warn(part.Diags)
	p := part.Plan()
	p.Folder = folderOfPlan(s.chdir)
	s.view.plan(p)
	if o.out != "" {
		if err := s.savePlan(o, cfg, p); err != nil {
			return 0, err
		}
	}
	if o.detailed && p.Changes() {
		return exitChanges, nil
	}
	return exitDone, nil
}

// configPart compares the configuration with the state.
func (s *session) configPart(ctx context.Context, at applied) (*planner.ConfigPart, error) {
	part, err := engine.ConfigDiff(ctx, at.engine, at.lock)
	if err == nil && part.Diags.HasErrors() {
		return nil, &planner.DiagnosticsError{Diags: part.Diags}
	}
	return part, err
}

// ofAll lists the flags, of those given, that say something of more than the configuration.
func (e *engineFlags) ofAll() (out []string) {
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"-target", len(e.targets) > 0}, {"-exact", e.exact}, {"-repair", e.repair}, {"-accept-manifest", len(e.acceptManifest) > 0},
		{"-sink-lost", len(e.sinksLost) > 0}, {"-replace", len(e.replace) > 0},
	} {
		if f.given {
			out = append(out, f.name)
		}
	}
	return out
}

// checkConfigOnly refuses what does not go with -config-only, and digests that are none.
func (o *applyOptions) checkConfigOnly() error {
	if o.expect != "" && !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(o.expect) {
		return errors.New("-expect needs the whole digest of 64 characters that `reconcile plan -config-only` prints")
	}
	if !o.configOnly {
		return nil
	}
	given := o.ofAll()
	if o.waitForNew > 0 {
		given = append(given, "-wait-for-new")
	}
	if len(given) > 0 {
		return fmt.Errorf("-config-only: %s: what the configuration changes is applied as a whole, from the dumps that the tables have", strings.Join(given, ", "))
	}
	return nil
}

// checkExpected refuses where the configuration changes something else than what has a
// digest, and shows what that is.
func (s *session) checkExpected(ctx context.Context, at applied, want string) error {
	if want == "" {
		return nil
	}
	part, err := s.configPart(ctx, at)
	if err != nil || part.Digest == want {
		return err
	}
	s.view.plan(part.Plan())
	return &unexpectedError{want, part.Digest}
}

// applySavedConfig plans what a saved plan of the configuration alone says, or refuses
// where the configuration changes something else now.
func (s *session) applySavedConfig(ctx context.Context, at applied, file string, saved *plan.Plan) (*planner.Session, error) {
	part, err := s.configPart(ctx, at)
	if err != nil {
		return nil, err
	}
	if now := part.Plan(); saved.Lineage != "" && saved.Lineage != now.Lineage {
		return nil, &staleError{file, true, []string{fmt.Sprintf("it is of the state of lineage %q, and this one has %q", saved.Lineage, now.Lineage)}}
	}
	left, err := part.Left(saved.Config)
	if err != nil {
		return nil, err
	}
	if stale := plan.CompareConfig(left, part.Entries); len(stale) > 0 {
		return nil, &staleError{file, true, differences(stale)}
	}
	p, err := at.engine.PlanLocked(ctx, at.lock)
	if err != nil {
		return nil, err
	}
	s.warn(p.Warnings())
	s.view.plan(&p.Plan)
	return p, at.engine.Refusal(&p.Plan)
}

// changeLine is what the configuration changes about a table.
type changeLine struct {
	Address  string          `json:"address"`
	Name     string          `json:"name"`
	Action   string          `json:"action"`
	Class    string          `json:"class"`
	Settings []settingObject `json:"settings"`
	Destroys []string        `json:"destroys,omitempty"`
	Needs    []string        `json:"needs,omitempty"`
}

// settingObject is a setting that a table was applied under and that is another one now.
type settingObject struct {
	Name   string `json:"setting"`
	Column string `json:"column,omitempty"`
	Sink   string `json:"sink,omitempty"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// uncheckedLine is something that a plan could not find out.
type uncheckedLine struct {
	Table string `json:"table,omitempty"`
	What  string `json:"what"`
	Why   string `json:"why"`
}

func (v *jsonView) configEntries(p *plan.Plan) {
	for _, e := range p.Config {
		l := changeLine{Address: "table." + e.Table, Name: e.Table, Action: string(e.Action), Class: e.Class.String(), Destroys: e.Destroys, Needs: e.Flags}
		for _, s := range e.Settings {
			l.Settings = append(l.Settings, settingObject(s))
		}
		v.record("config_change", l, "")
	}
	for _, u := range p.NotChecked {
		v.record("not_checked", uncheckedLine(u), "")
	}
}

// configPlan shows what the configuration changes alone.
func (v *textView) configPlan(p *plan.Plan) {
	for _, line := range facts(p, sentence) {
		v.printf("\n%s\n", line)
	}
	if len(p.Config) > 0 {
		v.printf("\n%s\n\n", v.style.bold("What the configuration changes:"))
	}
	for _, e := range p.Config {
		v.printf("%s table.%s: %s\n", v.colour(e.Action, fmt.Sprintf("%3s", string(e.Action))), e.Table, configAction(&e))
		for _, s := range e.Settings {
			v.printf("        %s\n", s.String())
		}
		for _, d := range e.Destroys {
			v.printf("        destroys %s\n", d)
		}
		if len(e.Flags) > 0 {
			v.printf("        %s\n", v.style.red("needs "+strings.Join(shellWords(e.Flags), " ")))
		}
	}
	v.notChecked(p.NotChecked)
	v.printf("\nDigest: %s\n\n%s\n", p.ConfigDigest, v.style.bold(countingLine(p)))
}

func configAction(e *plan.ConfigEntry) string {
	switch e.Action {
	case plan.Destroy:
		return "destroy"
	case plan.Forget:
		return "forget; its files stay"
	}
	if e.Class == plan.ClassNone {
		return "known elsewhere"
	}
	return e.Class.String()
}

// notChecked lists what a plan could not find out.
func (v *textView) notChecked(list []plan.Unchecked) {
	if len(list) == 0 {
		return
	}
	v.printf("\n%s\n\n", v.style.bold("Not checked:"))
	for _, u := range list {
		of := ""
		if u.Table != "" {
			of = "table." + u.Table + ": "
		}
		v.printf("    %s%s: %s\n", of, u.What, u.Why)
	}
}

// configDigest shows the digest of what the configuration changes, where it changes
// something.
func (v *textView) configDigest(p *plan.Plan) {
	if d := digestOfChanges(p); d != "" {
		v.printf("\nDigest of what the configuration changes, for apply -expect: %s\n", d)
	}
}

// digestOfChanges is the digest of what the configuration changes, "" where that is nothing.
func digestOfChanges(p *plan.Plan) string {
	none, err := plan.ConfigDigest(nil)
	if err != nil || p.ConfigDigest == none {
		return ""
	}
	return p.ConfigDigest
}
