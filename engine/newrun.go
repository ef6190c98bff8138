package engine

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/plan"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// newRun prepares a pass over a table from the state as it is now: until the
// table's own first commit that is what the plan saw of it.
func (e *Engine) newRun(ctx context.Context, l *state.Lock, p *Plan, t *TablePlan, ofConfig bool) (*tableRun, error) {
	if !t.committed {
		return e.runOn(ctx, l.Generation(), p.snap, p, t, ofConfig)
	}
	snap, err := e.declared.Load(ctx, l)
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }()
	return e.runOn(ctx, l.Generation(), snap, p, t, ofConfig)
}

// runOn prepares a pass over a table from a view of the state, under a lease of a
// generation.
func (e *Engine) runOn(ctx context.Context, generation uint64, snap *state.Snapshot, p *Plan, t *TablePlan, ofConfig bool) (_ *tableRun, err error) {
	r := &tableRun{env: e.env(), cfg: t.cfg, kind: t.kind, key: t.key, old: snap.Tables[t.Name], oldParts: snap.Partitions[t.Name], ofConfig: ofConfig}
	r.masks = ofConfig && t.Change.Masks
	r.failCasts = !ofConfig && t.cfg.OnCastError == "fail"
	if t.lost != nil {
		r.left = t.lost.Left
	}
	r.compared = t.compared
	t.repin(r.oldParts)
	if err := e.openOld(ctx, r); err != nil {
		return nil, err
	}
	r.newMapping, r.mapping, r.full = p.closure, p.standing, p.mapping
	switch {
	case p.anew:
		e.anewRun(p, t, r)
	case ofConfig && t.repair != "":
		e.repairRun(p, t, r)
	case ofConfig && len(e.goesBack(t.old)) > 0:
		e.backRun(p, t, r)
	case ofConfig && t.rewrite != "":
		e.rewriteRun(p, t, r)
	case ofConfig:
		err = e.configRun(ctx, p, t, r)
	case r.kind == feed.KindMapping: // written as a whole
		r.pending = t.pending
	default:
		r.pending = t.pending
		err = e.oldClosure(ctx, p, r)
	}
	if err != nil {
		return nil, err
	}
	r.prepare()
	if !ofConfig {
		r.echo = r.echoCandidate(p, t)
	}
	r.attempt = e.newAttempt(r, sinks.AttemptName(generation), max(snap.Serial, p.says.TopCommit()))
	return r, e.newSchemaOf(ctx, r)
}

// configRun makes a run one that changes the table as its configuration changed, and
// leaves it at the mapping where it stands.
func (e *Engine) configRun(ctx context.Context, p *Plan, t *TablePlan, r *tableRun) (err error) {
	if err := e.oldClosure(ctx, p, r); err != nil {
		return err
	}
	r.readFrom = t.readFrom
	r.newMapping, r.mapping = r.oldMapping, nil
	if r.old.HasMapping {
		r.mapping = &state.Mapping{Dump: r.old.MappingDump, Ref: r.old.Mapping, Rules: r.old.Rules}
	}
	if r.kind == feed.KindMapping {
		for _, q := range r.old.Quarantine {
			r.mapping.Quarantine = q.Ref
		}
		if r.full, err = loadMapping(ctx, e.store, r.old.Mapping); err != nil {
			return err
		}
	}
	if t.Change.Class == plan.ClassRebuild {
		r.rebuild(t, func(dump int64) bool { return e.withdrawn(p, dump, t.Name) })
	}
	return nil
}

// oldClosure finds the mapping that the table stands at.
func (e *Engine) oldClosure(ctx context.Context, p *Plan, r *tableRun) (err error) {
	if r.old != nil {
		r.oldMapping, err = e.closureOf(ctx, p, r.old.Mapping)
	}
	return err
}

// newSchemaOf resolves the columns of a run. A file whose header cannot be read is
// noted: it holds the table when the run begins.
func (e *Engine) newSchemaOf(ctx context.Context, r *tableRun) error {
	if r.kind == feed.KindMapping {
		r.schema = &schema{kind: feed.KindMapping, key: feed.FromUserID, payload: []payload{{}}}
		r.attempt.schema = r.schema
		return nil
	}
	var err error
	r.brought, err = r.delivered(ctx)
	if bad := holding(err); bad != nil {
		r.attempt.schema = &schema{kind: r.kind}
		r.badHeader = bad
		return nil
	}
	if err != nil {
		return err
	}
	r.settleSchema()
	return nil
}

// settleSchema resolves the columns that the table has and those that are brought.
func (r *tableRun) settleSchema() {
	var have []state.Column
	legacy := false
	if r.old != nil {
		have, legacy = r.old.Columns, !r.old.ExactNames
	}
	r.schema = newSchema(r.cfg, r.kind, r.key, have, r.brought, r.live, legacy, r.env.maskKey)
	r.attempt.schema = r.schema
}

// openOld opens the sinks that hold the table now.
func (e *Engine) openOld(ctx context.Context, r *tableRun) error {
	if r.old == nil {
		return nil
	}
	for _, s := range r.old.Sinks {
		sk, err := e.lake.Open(ctx, s.Root, s.Compression)
		if err != nil {
			return err
		}
		r.oldSinks = append(r.oldSinks, sk)
	}
	return nil
}

func (e *Engine) newAttempt(r *tableRun, name string, serial uint64) *attempt {
	a := &attempt{name: name, store: e.store}
	for _, s := range r.sinksInOrder() {
		a.targets = append(a.targets, target{sink: e.lake.Sink(s.Path), folder: r.cfg.Folder, compression: s.Compression, encodings: encodingsOf(r.old, s)})
	}
	a.meta = r.metadata()
	a.meta["commit"] = fmt.Sprint(serial + 1)
	return a
}

// sinksInOrder lists the sinks of the table: first those that it is in already, in
// the order in which the state has them, as files are noted by their sink's place
// in it.
func (r *tableRun) sinksInOrder() []definition.Sink {
	out := slices.Clone(r.cfg.Sinks)
	if r.old == nil {
		return out
	}
	place := func(s definition.Sink) int {
		i := r.old.SinkAt(s.Path)
		if i < 0 {
			return len(r.old.Sinks)
		}
		return i
	}
	slices.SortStableFunc(out, func(a, b definition.Sink) int { return place(a) - place(b) })
	return out
}
