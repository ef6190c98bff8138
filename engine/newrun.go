package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"reconcile/engine/commit"
	"reconcile/engine/identity"
	"reconcile/engine/native/ingest"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// newStep prepares a step of a table from the state as it is now: until the table's own
// first commit that is what the plan saw of it.
func (e *Engine) newStep(ctx context.Context, l *state.Lock, p *planner.Session, t *planner.Table, ofConfig bool) (*tableStep, error) {
	if !t.Committed {
		return e.stepOn(ctx, l.Generation(), p.Snap, p, t, ofConfig)
	}
	snap, err := e.declared.Load(ctx, l)
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }()
	return e.stepOn(ctx, l.Generation(), snap, p, t, ofConfig)
}

// stepOn prepares a step of a table from a view of the state, under a lease of a
// generation.
func (e *Engine) stepOn(ctx context.Context, generation uint64, snap *state.Snapshot, p *planner.Session, t *planner.Table, ofConfig bool) (_ *tableStep, err error) {
	s := &tableStep{cfg: t.Definition, kind: t.Kind, key: t.Key, old: snap.Tables[t.Name], oldParts: snap.Partitions[t.Name], ofConfig: ofConfig,
		computed: e.opts.Tuning.Computed[t.Name], executor: e.executor}
	base := commit.BaseOf(s.old, s.oldParts)
	s.masks = ofConfig && t.Change.Masks
	if t.LostCommit != nil {
		s.left = t.LostCommit.Left
	}
	s.compared = t.Compared
	t.Repin(s.oldParts)
	if err := e.openOld(ctx, s.old); err != nil {
		return nil, err
	}
	s.newMapping, s.mapping, s.full = p.Closure, p.Standing, p.StandingMapping
	switch {
	case p.Anew:
		e.anewStep(p, t, s)
	case ofConfig && t.Repair != "":
		repairStep(p, t, s)
	case ofConfig && len(e.ask.GoesBack(t.Old)) > 0:
		backStep(p, t, s)
	case ofConfig && t.Rewrite != "":
		rewriteStep(p, t, s)
	case ofConfig:
		err = e.configStep(ctx, p, t, s)
	case s.kind == feed.KindMapping: // written as a whole
		s.pending = t.Pending
	default:
		s.pending = t.Pending
		err = e.oldClosure(ctx, p, s)
	}
	if err != nil {
		return nil, err
	}
	s.findFloor()
	if err := e.newSchemaOf(ctx, s); err != nil {
		return nil, err
	}
	if err := e.makeTask(p, t, s, sinks.AttemptName(generation), max(snap.Serial, p.Heads.TopCommit())); err != nil {
		return nil, err
	}
	s.task.Base = base
	return s, nil
}

// configStep makes a step one that changes the table as its configuration changed, and
// leaves it at the mapping where it stands.
func (e *Engine) configStep(ctx context.Context, p *planner.Session, t *planner.Table, s *tableStep) (err error) {
	if err := e.oldClosure(ctx, p, s); err != nil {
		return err
	}
	s.readFrom = t.ReadFrom
	s.newMapping, s.mapping, s.full = s.oldMapping, nil, nil
	if s.old.HasMapping {
		s.mapping = &state.Mapping{Dump: s.old.MappingDump, Ref: s.old.Mapping, Rules: s.old.Rules}
	}
	if s.kind == feed.KindMapping {
		for _, q := range s.old.Quarantine {
			s.mapping.Quarantine = q.Ref
		}
		if s.full, err = planner.LoadMapping(ctx, e.store, s.old.Mapping); err != nil {
			return err
		}
	}
	if t.Change.Class == plan.ClassRebuild {
		s.rebuild(t, func(dump int64) bool { return e.ask.Withdrawn(p.Listing, dump, t.Name) })
	}
	return nil
}

// oldClosure finds the mapping that the table stands at.
func (e *Engine) oldClosure(ctx context.Context, p *planner.Session, s *tableStep) (err error) {
	if s.old != nil {
		s.oldMapping, err = p.ClosureOf(ctx, s.old.Mapping)
	}
	return err
}

// newSchemaOf resolves the columns of a step. A file whose header cannot be read is
// noted: it holds the table when the step begins.
func (e *Engine) newSchemaOf(ctx context.Context, s *tableStep) error {
	if s.kind == feed.KindMapping {
		s.schema = &rules.Schema{Kind: feed.KindMapping, Key: feed.FromUserID, Payload: []rules.Column{{}}, Table: s.cfg, PartitionColumn: -1}
		return nil
	}
	var err error
	s.brought, err = e.delivered(ctx, s)
	if bad := ingest.Holding(err); bad != nil {
		s.schema = &rules.Schema{Kind: s.kind, Table: s.cfg}
		s.badHeader = bad
		return nil
	}
	if err != nil {
		return err
	}
	s.resolveSchema()
	return nil
}

// openOld opens the sinks that hold a table now.
func (e *Engine) openOld(ctx context.Context, old *state.Table) error {
	if old == nil {
		return nil
	}
	for _, s := range old.Sinks {
		if _, err := e.lake.Open(ctx, s.Root, s.Compression); err != nil {
			return err
		}
	}
	return nil
}

// digestOfMapping is the name that a mapping would have as an object.
func digestOfMapping(m *identity.Mapping) (string, error) {
	sum := sha256.New()
	if err := m.Encode(sum); err != nil {
		return "", fmt.Errorf("the user mapping: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
