package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
	"reconcile/engine/stores"
	"reconcile/engine/usermapping"
	"reconcile/internal/feed"
	"reconcile/state"
)

// TableResult is what an apply did to one table.
type TableResult struct {
	Name     string
	Action   plan.Action
	Counts   plan.Counts
	Unlisted map[string]int64 // rows by field that no manifest lists
	// RedeliveryOf is the dump that the one applied delivered again, byte for byte.
	RedeliveryOf *int64
	Err          error
}

// Result is what an apply did. An apply that was interrupted has the tables
// that it finished.
type Result struct {
	Recovered []string
	// Forgotten are the sinks that the state no longer has.
	Forgotten []plan.ForgottenSink
	// Moved are the sinks that the state knows at another place now.
	Moved  []plan.MovedSink
	Tables []TableResult
	Holds  []plan.Hold
	// BadMappings counts the rows without both ids of a newly read mapping. They
	// are in the quarantine, whether or not a table block takes user_migrations.
	BadMappings int64
	Traffic     []stores.Traffic
}

// Partial reports whether something was held or failed while the rest went on.
func (r *Result) Partial() bool {
	return len(r.Holds) > 0 || slices.ContainsFunc(r.Tables, func(t TableResult) bool { return t.Err != nil })
}

// Refusal says why a plan may not be applied as it is, nil if it may.
func (e *Engine) Refusal(p *plan.Plan) error {
	var errs []error
	for _, t := range p.Tables {
		if t.Action == plan.None {
			continue
		}
		if len(t.Destroys) > 0 && !e.opts.AllowDestroy {
			errs = append(errs, refusesDestroy(t))
		}
		if len(t.Lost) > 0 && !e.ask.AcceptsLoss(t.Name) {
			errs = append(errs, fmt.Errorf("%w: table %s must be rebuilt from the source, where dumps %v are gone: their rows would be lost; accept that with -accept-loss=%s", plan.ErrRefused, t.Name, t.Lost, t.Name))
		}
	}
	if len(p.Mapping.Gone) > 0 && !e.ask.AcceptsLoss(feed.TableMapping) {
		errs = append(errs, fmt.Errorf("%w: %s; accept that with -accept-loss=%s", plan.ErrRefused, planner.GoneMappingsText(&p.Mapping), feed.TableMapping))
	}
	return errors.Join(errs...)
}

// Apply carries out a plan that was made under the same lock. The session stays as it is.
func (e *Engine) Apply(ctx context.Context, l *state.Lock, p *planner.Session) (_ *Result, err error) {
	if err := e.Refusal(&p.Plan); err != nil {
		return nil, err
	}
	p = p.ForApply()
	res := &Result{Holds: slices.Clone(p.Holds)}
	defer func() {
		planner.NamesWayPast(e.cfg, res.Holds)
		res.Traffic = e.stores.Traffic()
	}()
	waiting, err := e.detachSinks(ctx, l, p, res)
	if err != nil {
		return nil, err
	}
	now, err := e.stateOf(ctx, l, p)
	if err != nil {
		return nil, err
	}
	if err := e.restateSinks(ctx, l, p); err != nil {
		return nil, err
	}
	remembered := func() error {
		return errors.Join(e.forgetHolds(ctx, l, p), rememberGuards(ctx, l, p), e.mendManifests(ctx, l, p), e.renewRead(ctx, l, p, now), e.rememberNames(ctx, l, p), e.forgetLater(ctx, l, now))
	}
	if err := errors.Join(e.removeLeftovers(ctx, l, now), remembered()); err != nil {
		return nil, err
	}
	if !p.Changes() {
		return res, nil
	}
	cleanup, err := e.applyScratch()
	if err != nil {
		return nil, err
	}
	defer cleanup()
	if err := errors.Join(acceptManifests(ctx, l, p), e.commitMapping(ctx, l, p)); err != nil {
		return nil, err
	}
	if p.NewMapping != nil {
		res.BadMappings = int64(len(p.NewMapping.Bad))
	}
	if err := e.applyTables(ctx, l, p, waiting, res); err != nil {
		return res, err
	}
	snap, err := e.declared.Load(ctx, l)
	if err != nil {
		return res, err
	}
	return res, errors.Join(l.Adopt(ctx, snap.Refs()), e.removeLeftovers(ctx, l, snap), e.renewFingerprints(ctx, l, p, snap), e.forgetLater(ctx, l, snap))
}

// stateOf is the state that a plan was made of, where nothing has been changed yet.
func (e *Engine) stateOf(ctx context.Context, l *state.Lock, p *planner.Session) (*state.Snapshot, error) {
	if len(p.Forgotten)+len(p.Moved) == 0 {
		return p.Snap, nil
	}
	e.loaded = nil
	return e.declared.Load(ctx, l)
}

// applyTables applies the tables in the order of the plan, without those that wait for
// the next apply.
func (e *Engine) applyTables(ctx context.Context, l *state.Lock, p *planner.Session, waiting map[string]bool, res *Result) (err error) {
	todo := slices.DeleteFunc(slices.Clone(p.Drafts), func(t *planner.Table) bool { return t.Action == plan.None || waiting[t.Name] })
	begun := map[*planner.Table]*prefetch{}
	defer func() {
		for _, a := range begun {
			err = errors.Join(err, e.dropPrefetched(ctx, l, a))
		}
	}()
	for i, t := range todo {
		mine := begun[t]
		delete(begun, t)
		if held := planner.Unreachable(p, t); held != nil {
			res.Holds = append(res.Holds, plan.Hold{Table: t.Name, Reason: held.Error()})
			if err := e.dropPrefetched(ctx, l, mine); err != nil {
				return err
			}
			continue
		}
		e.startPrefetches(ctx, l, p, t, todo[i+1:], begun)
		r, waits := e.applyTable(ctx, l, p, t, mine, res)
		if waits && r.Err == nil && !t.Committed {
			continue // what was committed counts; the rest is held
		}
		res.Tables = append(res.Tables, r)
		if r.Err != nil && !e.lake.StopsTable(ctx, r.Err) {
			return r.Err
		}
	}
	return nil
}

// commitMapping stores a newly read mapping, or that there is none any more.
// Tables follow one by one.
func (e *Engine) commitMapping(ctx context.Context, l *state.Lock, p *planner.Session) error {
	if p.Mapping.Withdrawn {
		return l.Update(ctx, func(tx *state.Tx) error { return errors.Join(tx.SetMapping(nil), acceptMappings(p, tx)) })
	}
	if p.NewMapping == nil {
		return nil
	}
	objects, err := usermapping.Store(ctx, e.store, p.NewMapping, p.Standing)
	if err != nil {
		return err
	}
	manifests, err := e.manifestsObject(ctx, p)
	if err != nil {
		return err
	}
	d := p.Listing.Dump(p.NewMapping.Dump)
	return l.Update(ctx, func(tx *state.Tx) error {
		for _, o := range objects {
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		return errors.Join(tx.SetMapping(p.Standing), acceptMappings(p, tx), commit.PutDump(tx, d), putManifests(p, tx, manifests))
	})
}

// applyTable brings one table to its planned state: first a change of its
// configuration, as a commit of its own, then its dumps and its mapping.
//
// What was prefetched, if anything, is the content after its only step. waits says
// that a step was not taken, and the result has a hold that says why.
func (e *Engine) applyTable(ctx context.Context, l *state.Lock, p *planner.Session, t *planner.Table, first *prefetch, res *Result) (out TableResult, waits bool) {
	out = TableResult{Name: t.Name, Action: t.Action, Unlisted: map[string]int64{}}
	for _, kind := range []plan.StepKind{plan.StepChange, plan.StepTake, plan.StepRemove} {
		if !slices.ContainsFunc(planner.StepsOf(t), func(s plan.Step) bool { return s.Kind == kind }) {
			continue
		}
		switch kind {
		case plan.StepChange:
			waits, out.Err = e.takeStep(ctx, l, p, t, true, nil, &out, res)
		case plan.StepTake:
			waits, out.Err = e.takeStep(ctx, l, p, t, false, first, &out, res)
		case plan.StepRemove:
			out.Err = e.removeTable(ctx, l, t)
		}
		if waits || out.Err != nil {
			break
		}
	}
	return out, waits
}

// takeStep makes one commit of a table. A part file that turns out to be bad holds
// the table from its dump on; the step is then taken without that. waits says that
// something keeps the step from being taken: the result names it as a hold.
func (e *Engine) takeStep(ctx context.Context, l *state.Lock, p *planner.Session, t *planner.Table, ofConfig bool, first *prefetch, out *TableResult, res *Result) (waits bool, err error) {
	for {
		s, r, err := e.content(ctx, l, p, t, ofConfig, first)
		damage := planner.DamagedObject(err)
		if s == nil && damage == nil {
			return false, err
		}
		first = nil
		if damage != nil && ctx.Err() == nil {
			return true, e.holdDamaged(ctx, l, p, t, s, damage, res)
		}
		if d := lake.Distrusted(err); d != nil {
			res.Holds = append(res.Holds, planner.RepairHold(t.Name, d.Why))
			_ = e.removeStaged(ctx, l, s.Task) // what stays the next apply removes
			return true, nil
		}
		if err != nil {
			return false, errors.Join(fmt.Errorf("table %s: %w", t.Name, err), e.removeStaged(ctx, l, s.Task))
		}
		if r.Held != nil {
			if waits, err := e.stepWithout(ctx, l, p, t, s, r.Held, out, res); err != nil || waits {
				return waits, err
			}
			continue
		}
		return e.commitStep(ctx, l, p, t, s, r.Done, out, res)
	}
}

// commitStep commits what a step staged.
func (e *Engine) commitStep(ctx context.Context, l *state.Lock, p *planner.Session, t *planner.Table, s *steps.Step, d *exec.Done, out *TableResult, res *Result) (waits bool, err error) {
	c, err := s.ChangeOf(ctx, e.store, d)
	if err != nil {
		return false, errors.Join(fmt.Errorf("table %s: %w", t.Name, err), e.removeStaged(ctx, l, s.Task))
	}
	if err := commit.CanCarryOut(ctx, e.lake, c.Steps()); err != nil {
		return e.holdUnpublishable(ctx, l, s, err, res)
	}
	out.addCounts(s.Task, d)
	t.Committed, t.LostCommit = true, nil
	return false, e.commit(ctx, l, p, s, c)
}

// stepWithout makes a step one without a bad file: the table is held from its dump on.
// Without a resync the table may have to be rebuilt before the step.
func (e *Engine) stepWithout(ctx context.Context, l *state.Lock, p *planner.Session, t *planner.Table, s *steps.Step, bad *exec.Held, out *TableResult, res *Result) (waits bool, err error) {
	if err := e.removeStaged(ctx, l, s.Task); err != nil {
		return false, err
	}
	if s.OfConfig && planner.NewAgain(p, t, bad.Dump) {
		t.HeldFrom = &bad.Dump
	} else if s.OfConfig {
		return true, e.holdRebuild(ctx, l, t, bad, res)
	}
	class := t.Change.Class
	if err := e.holdFrom(ctx, l, p, t, bad, res); err != nil || t.Change.Class != plan.ClassRebuild || class == plan.ClassRebuild {
		return false, err
	}
	out.Action = plan.Rebuild
	return e.takeStep(ctx, l, p, t, true, nil, out, res)
}

func (out *TableResult) addCounts(t *exec.Task, d *exec.Done) {
	a, b := &out.Counts, d.Counts
	a.Read += b.Read
	a.Bytes += b.Bytes
	a.Added += b.Added
	a.Replaced += b.Replaced
	a.Rekeyed += b.Rekeyed
	a.Collapsed += b.Collapsed
	a.Revived += b.Revived
	a.Removed += b.Removed
	a.Quarantined += b.Quarantined
	a.Rescued += b.Rescued
	a.Rounded += b.Rounded
	a.Partitions += b.Partitions
	a.Written += b.Written
	a.Rows = b.Rows
	if d.Strategy == exec.Redeliver {
		out.RedeliveryOf = &t.Redelivery.Of
	}
	for k, v := range d.Unlisted {
		out.Unlisted[k] += v
	}
}

// content computes what a step of a table makes of it, or takes what was computed
// ahead. Without a step there is nothing to do, or err says why there is none.
func (e *Engine) content(ctx context.Context, l *state.Lock, p *planner.Session, t *planner.Table, ofConfig bool, first *prefetch) (*steps.Step, *exec.Result, error) {
	if first != nil {
		return e.awaitPrefetched(first)
	}
	s, err := e.stepMaker().Next(ctx, l, p, t, ofConfig)
	if err != nil || !ofConfig && len(s.Pending) == 0 && !t.Remap {
		return nil, nil, err
	}
	res, err := s.Execute(ctx)
	return s, res, err
}
