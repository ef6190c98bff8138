package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/lake"
	"reconcile/engine/objects"
	"reconcile/engine/partfile"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/state"
)

// Step is one step of a table between its plan and its commit: the task, and what
// beside it the commit goes by.
type Step struct {
	Task     *exec.Task
	Env      *exec.Env
	executor exec.Executor

	Definition *definition.Table
	kind, key  string
	planned    plan.Step
	base       exec.Base    // what the state has of the table
	old        *state.Table // what the new record begins with; nil for a new table
	oldParts   []*state.Partition
	readFrom   int                       // index into old.Sinks
	Pending    []planner.Delivery        // sorted by dump
	oldMapping *identity.Closure         // at which the stored rows stand
	newMapping *identity.Closure         // at which the table will stand
	mapping    *state.Mapping            // that it is of; nil without any
	full       *identity.Mapping         // likewise
	left       []state.Step              // removals of files that the state does not list
	fresh      bool                      // no stored row is used
	onlySinks  bool                      // nothing changes but where the table is
	compared   map[int64]bool            // dumps of which the record goes on knowing what was read
	claims     map[int64]partfile.Claims // by pending dump: what names mean that Avro does not allow
	brought    []rules.Delivered         // what the pending dumps bring
	computed   []rules.Computed          // columns of the table
	compute    rules.Computations        // of them
	schema     *rules.Schema
	badHeader  *partfile.FileError // a file whose header cannot be read
	made       objects.Made        // by the executor in this process
	floor      rules.Floor         // everything of smaller dumps is void
	scratch    []string            // the places that Divert made
}

// Takes reports whether the step takes dumps, and does not change what the table has.
func (s *Step) Takes() bool { return s.planned.Kind == plan.StepTake }

// findFloor finds the dump from which on rows count.
func (s *Step) findFloor() {
	var dumps []rules.Dump
	if s.old != nil {
		dumps = lake.StandingDumps(s.old)
	}
	for _, d := range s.Pending {
		dumps = append(dumps, rules.Dump{ID: d.Dump, Full: !d.Entry.Incremental})
	}
	s.floor = rules.Live(dumps)
}

// delivered lists the columns that the pending dumps bring. Of void dumps only
// what the manifest says counts; without a list of columns a live dump brings
// the fields of its files.
func (m *Maker) delivered(ctx context.Context, s *Step) ([]rules.Delivered, error) {
	var out []rules.Delivered
	for _, d := range s.Pending {
		if err := m.claim(ctx, s, d); err != nil {
			return nil, err
		}
		names := d.Entry.Columns
		if !d.Entry.HasColumns && s.floor.Live(d.Dump) {
			for key, err := range d.Entry.Files.All() {
				if err != nil {
					return nil, err
				}
				h, err := partfile.Header(ctx, m.Source, key)
				if err != nil {
					return nil, &partfile.FileError{Dump: d.Dump, Key: key, Err: err}
				}
				names = append(slices.Clip(names), partfile.FieldNames(h)...)
			}
		}
		for _, n := range names {
			out = append(out, rules.Delivered{Name: n, Dump: d.Dump, Listed: d.Entry.HasColumns})
		}
	}
	return out, nil
}

// claim finds out what the names of a delivery mean that Avro does not allow.
func (m *Maker) claim(ctx context.Context, s *Step, d planner.Delivery) error {
	if !s.floor.Live(d.Dump) {
		return nil
	}
	if !d.Entry.HasColumns {
		return nil
	}
	c, _, err := partfile.ClaimsOf(ctx, m.Source, d.Entry.Columns, d.Entry.Files.All())
	var bad *partfile.FileError
	if errors.As(err, &bad) {
		return &partfile.FileError{Dump: d.Dump, Key: bad.Key, Err: bad.Err}
	}
	if err != nil || c == nil {
		return err
	}
	if s.claims == nil {
		s.claims = map[int64]partfile.Claims{}
	}
	s.claims[d.Dump] = c
	return nil
}

// Execute carries out the task. A file can turn out to have columns that nothing told
// of: then the task is made again with them.
func (s *Step) Execute(ctx context.Context) (*exec.Result, error) {
	if s.badHeader != nil {
		return &exec.Result{Outcome: exec.OutcomeHeld, Held: s.badHeader.Held()}, nil
	}
	for {
		res, err := s.executor.Execute(ctx, s.Task, s.Env)
		if err == nil {
			err = res.Check(s.Task)
		}
		if err != nil || res.Outcome != exec.OutcomeAgain {
			return res, s.ofScratch(err)
		}
		for _, c := range res.Again.Columns {
			s.brought = append(s.brought, rules.Delivered{Name: c.Name, Dump: c.Dump, Listed: c.Listed})
		}
		s.resolveSchema()
		size := s.deliveredBytes()
		s.Env.Events.Expect(exec.Reading, exec.WorkOfReading(s.Task.Kind, size)+exec.WorkOfWriting(exec.PublishedOf(size), len(s.Task.Sinks)))
		again := *s.Task
		again.Schema, s.Task, s.Env.Compute = s.schema, &again, s.compute
		for _, c := range res.Again.Columns {
			if _, ok := s.schema.Target(c.Name); !ok { // it would come again and again
				return nil, fmt.Errorf("dump %d has columns that were not expected, as %s", c.Dump, c.Name)
			}
		}
	}
}

// deliveredBytes is the size of the part files that the task names.
func (s *Step) deliveredBytes() int64 {
	n := int64(0)
	for _, d := range s.Task.Deliveries {
		n += d.Files.Bytes()
	}
	return n
}

// resolveSchema resolves the columns that the table has and those that are brought.
func (s *Step) resolveSchema() {
	var have []rules.Column
	legacy := false
	if s.old != nil {
		legacy = !s.old.ExactNames
		for _, c := range s.old.Columns {
			known, _ := columnOf(c) // the configuration says of what type it is
			have = append(have, known)
		}
	}
	s.schema = rules.NewSchema(s.Definition, s.kind, s.key, have, s.brought, s.floor, legacy)
	s.compute = s.schema.Compute(s.computed)
}

// resyncs reports whether a pending dump makes stored rows void.
func (s *Step) resyncs() bool {
	return slices.ContainsFunc(s.Pending, func(d planner.Delivery) bool { return !d.Entry.Incremental && !d.Again })
}

// ChangeOf is what is committed of a step at a time.
func (s *Step) ChangeOf(ctx context.Context, store *state.Store, d *exec.Done, at time.Time) (*commit.Change, error) {
	c, err := commit.NewChange(ctx, store, s.Task, d, s.made.Has)
	if err != nil {
		return nil, err
	}
	c.Old, c.OldParts, c.Left, c.Masks = s.old, s.oldParts, s.left, s.planned.Masks
	s.noteDumpRows(c.Table, d)
	c.Note(s.kindOf(), at.UnixMilli(), s.dumps(), d.Counts)
	return c, nil
}
