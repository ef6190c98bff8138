package planner

import (
	"context"
	"errors"
	"slices"

	"reconcile/config"
	"reconcile/engine/identity"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
)

// MakePlan makes the plan of a session that has what it may read and a view of the state.
// If it fails, the view is closed. Diagnostics that keep the plan from being applied are a
// DiagnosticsError.
func MakePlan(ctx context.Context, p *Session) (_ *Session, err error) {
	snap := p.Snap
	p.loaded = snap
	p.Lineage, p.Serial, p.Unchecked, p.ConfigOnly = snap.Lineage, snap.Serial, p.Blind, p.Ask.ConfigOnly
	p.Raise = raiseOf(snap)
	p.Closures, p.Heads = map[string]*identity.Closure{}, lake.Heads{}
	defer func() {
		if err != nil {
			err = errors.Join(err, snap.Close())
		}
	}()
	if err := compareConfig(ctx, p); err != nil {
		return nil, err
	}
	if err := errors.Join(p.Objects.CheckObjects(snap), moveSinks(ctx, p)); err != nil {
		return nil, err
	}
	if err := forgetSinks(p); err != nil {
		return nil, err
	}
	if p.Ask.RefreshOnly {
		return p, planRefresh(ctx, p)
	}
	if err := ListSource(ctx, p); err != nil {
		return nil, err
	}
	p.Notices = append(p.Notices, p.Listing.Notices...)
	noteLater(p)
	for _, pub := range snap.Publishes {
		p.Recover = append(p.Recover, pub.Table)
	}
	if err := checkSinks(ctx, p); err != nil {
		return nil, err
	}
	if err := findGone(ctx, p); err != nil {
		return nil, err
	}
	HoldManifests(p)
	if err := ListRead(ctx, p); err != nil {
		return nil, err
	}
	takeMapping := planMapping
	if p.ConfigOnly {
		takeMapping = keepMapping
	}
	if err := takeMapping(ctx, p); err != nil {
		return nil, err
	}
	if err := planTables(ctx, p); err != nil {
		return nil, err
	}
	p.listRestated()
	p.Notices = append(p.Notices, notesOf(p.Drafts)...)
	if p.ConfigOnly {
		p.Holds = slices.DeleteFunc(p.Holds, func(h plan.Hold) bool { return ofOthers(p, h) })
	} else if err := checkNames(ctx, p); err != nil {
		return nil, err
	}
	noteIneffective(p)
	p.noteOlderRules()
	NamesWayPast(p.Ask.Config, p.Holds)
	if p.Diags.HasErrors() {
		return nil, &DiagnosticsError{config.Join(p.Diags)}
	}
	if p.Ask.Inputs {
		if err := describeInputs(ctx, p); err != nil {
			return nil, err
		}
	}
	p.describeTables()
	return p, nil
}

// describeTables makes the plan's value of what was planned of each table. What an apply
// does to its own view of a table leaves the value as it is.
func (p *Session) describeTables() {
	for _, t := range p.Drafts {
		t.Steps = StepsOf(p, t)
		t.Checks = stepChecks(p, t)
		p.Unjudged = append(p.Unjudged, unjudged(p, t)...)
		p.Tables = append(p.Tables, t.Clone())
	}
}

// StepsOf lists the commits that an apply makes of a table as it is planned, in their
// order. What a step finds can change what is planned, and so the steps that are left.
func StepsOf(p *Session, t *Table) []plan.Step {
	var out []plan.Step
	switch t.Action {
	case plan.None:
		return nil
	case plan.Destroy, plan.Forget:
		return []plan.Step{{Kind: plan.StepRemove}}
	}
	if t.Old != nil && t.Change.Class != plan.ClassNone {
		out = append(out, changeStep(p, t))
	}
	if len(t.Pending) > 0 || t.remap {
		out = append(out, plan.Step{Kind: plan.StepTake})
	}
	return out
}

// changeStep is the step that changes what a table has.
func changeStep(p *Session, t *Table) plan.Step {
	back := !p.ConfigOnly && len(p.Ask.goesBack(t.Old)) > 0
	s := plan.Step{Kind: plan.StepChange, Class: t.Change.Class, Repair: t.Repair != "", Masks: t.Change.Masks, Before: t.HeldFrom,
		Remaps: t.Repair+t.rewrite != "" || back}
	if t.rewrite != "" && t.Repair == "" && !back {
		s.Without = t.dropped
	}
	if s.Class == plan.ClassRewrite && t.Kind == feed.KindEvents && t.readFrom < len(t.Old.Sinks) {
		s.ReadFrom = t.Old.Sinks[t.readFrom].Root
	}
	return s.Clone()
}

// AsTheStateSays reports whether a plan found nothing that a commit beside it could
// explain.
func (p *Session) AsTheStateSays() bool {
	return len(p.Holds)+len(p.Restated)+len(p.Recover) == 0 && !slices.ContainsFunc(p.Drafts, func(t *Table) bool {
		return len(t.Drift) > 0 || len(t.Removes) > 0 || len(t.touched) > 0 || t.LostCommit != nil || t.Action == plan.Rebuild
	})
}
