package steps

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/lake"
	"reconcile/engine/partfile"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// Order is what a task is asked for with: a step of a plan, and the table as those who
// carry it out have it.
type Order struct {
	Plan  *planner.Session
	Table *planner.Table
	Step  plan.Step
	// StandIns are published rows that take the place of those of dumps that are gone;
	// nil if none do.
	StandIns *exec.StandIns
}

// On prepares a step of a table from a view of the state, which stays as it is, under a
// lease of a generation.
func (m *Maker) On(ctx context.Context, generation uint64, snap *state.Snapshot, o Order) (_ *Step, err error) {
	p, t := o.Plan, o.Table
	s := &Step{Definition: t.Definition, kind: t.Kind, key: t.Key, old: snap.Tables[t.Name], oldParts: t.FilesNow(snap.Partitions[t.Name]), planned: o.Step,
		computed: m.Computed[t.Name], executor: m.Executor}
	s.base = commit.BaseOf(s.old, snap.Partitions[t.Name])
	if t.LostCommit != nil {
		s.left = slices.Clone(t.LostCommit.Left)
	}
	s.compared = t.Compared
	if err := m.openOld(ctx, s.old); err != nil {
		return nil, err
	}
	s.newMapping, s.mapping, s.full = p.Closure, p.Standing, p.StandingMapping
	switch {
	case o.Step.Kind == plan.StepRestore:
		restoreStep(p, t, s)
	case o.Step.Kind == plan.StepChange:
		err = m.changeStep(ctx, p, t, s)
	case s.kind == feed.KindMapping: // written as a whole
		s.Pending = t.Pending
	default:
		s.Pending = t.Pending
		err = m.oldClosure(ctx, p, s)
	}
	if err != nil {
		return nil, err
	}
	s.findFloor()
	if err := m.newSchemaOf(ctx, s); err != nil {
		return nil, err
	}
	if err := m.makeTask(ctx, o, s, sinks.AttemptName(generation), max(snap.Serial, p.Heads.TopCommit())); err != nil {
		return nil, err
	}
	return s, nil
}

// changeStep makes a step one that changes what the table has, as the plan says.
func (m *Maker) changeStep(ctx context.Context, p *planner.Session, t *planner.Table, s *Step) error {
	switch {
	case s.planned.Repair:
		repairStep(p, t, s)
	case len(s.planned.Without) > 0:
		rewriteStep(p, t, s)
	case s.planned.Remaps:
		backStep(p, t, s)
	default:
		return m.configStep(ctx, p, t, s)
	}
	return nil
}

// configStep makes a step one that changes the table as its configuration changed, and
// leaves it at the mapping where it stands.
func (m *Maker) configStep(ctx context.Context, p *planner.Session, t *planner.Table, s *Step) (err error) {
	if err := m.oldClosure(ctx, p, s); err != nil {
		return err
	}
	s.findReadFrom()
	s.onlySinks = planner.OnlySinks(t)
	s.newMapping, s.mapping, s.full = s.oldMapping, nil, nil
	if s.old.HasMapping {
		s.mapping = &state.Mapping{Dump: s.old.MappingDump, Ref: s.old.Mapping, Rules: s.old.Rules}
	}
	if s.kind == feed.KindMapping {
		for _, q := range s.old.Quarantine {
			s.mapping.Quarantine = q.Ref
		}
		if s.full, err = planner.LoadMapping(ctx, m.Store, s.old.Mapping); err != nil {
			return err
		}
	}
	if s.planned.Class == plan.ClassRebuild {
		s.rebuild(p, t)
	}
	return nil
}

// oldClosure finds the mapping that the table stands at.
func (m *Maker) oldClosure(ctx context.Context, p *planner.Session, s *Step) (err error) {
	if s.old != nil {
		s.oldMapping, err = p.ClosureOf(ctx, s.old.Mapping)
	}
	return err
}

// newSchemaOf resolves the columns of a step. A file whose header cannot be read is
// noted: it holds the table when the step begins.
func (m *Maker) newSchemaOf(ctx context.Context, s *Step) error {
	if s.kind == feed.KindMapping {
		s.schema = &rules.Schema{Kind: feed.KindMapping, Key: feed.FromUserID, Payload: []rules.Column{{}}, Table: s.Definition, PartitionColumn: -1}
		return nil
	}
	var err error
	s.brought, err = m.delivered(ctx, s)
	if bad := partfile.Holding(err); bad != nil {
		s.schema = &rules.Schema{Kind: s.kind, Table: s.Definition}
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
func (m *Maker) openOld(ctx context.Context, old *state.Table) error {
	if old == nil {
		return nil
	}
	for _, s := range old.Sinks {
		if _, err := m.Lake.Open(ctx, s.Root); err != nil {
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

// Maker makes the steps of tables.
type Maker struct {
	Ask      *planner.Request
	Store    *state.Store
	Source   *dump.Source
	Lake     *lake.Lake
	Executor exec.Executor
	Limits   exec.Limits
	Sizes    exec.Thresholds
	Program  string                       // its version
	Tagged   bool                         // the pins of the source are ETags
	NoDelta  bool                         // no step takes the delta strategy
	Computed map[string][]rules.Computed  // by table
	Key      func(verifier string) []byte // of masks
	Progress func(table string, p exec.Progress)
}
