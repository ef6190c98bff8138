package planner

import (
	"context"

	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/state"
)

// Objects reads the objects of a state.
type Objects interface {
	// Place is where the state is, as messages name it.
	Place() string
	OpenObject(ctx context.Context, ref state.Ref) (*state.Object, error)
	// ObjectPin tells what stands where an object is from what stood there before.
	ObjectPin(ref state.Ref) string
	// CheckObjects fails if the objects of a view of the state cannot be looked for.
	CheckObjects(snap *state.Snapshot) error
}

// Planner is what plans are made from: what is asked for, and what may be read.
type Planner struct {
	Ask        *Request
	Source     *dump.Source
	Objects    Objects
	Lake       *lake.Lake
	Home       *lake.Home         // where the state is
	Declared   *lake.Declared     // the sinks of the configuration
	Unfinished *commit.Unfinished // tables whose last commits cannot be finished
	Mappings   MappingReader
	Keys       KeyReader
	Budget     exec.Budget // of the command
	// Scratch makes a folder for what does not fit into memory; remove removes it.
	Scratch func() (dir string, remove func(), err error)
	// Measure computes what the steps of a table come to, where exact figures are asked
	// for; nil where they are not.
	Measure func(ctx context.Context, p *Session, t *Table) error
}

// asking returns the planner as one that is asked for something else.
func (r *Planner) asking(q *Request) *Planner {
	out := *r
	out.Ask = q
	return &out
}

// tagged reports whether the pins of the source are ETags.
func (r *Planner) tagged() bool { return r.Ask.Config.Source.S3 != nil }
