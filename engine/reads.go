package engine

import (
	"context"

	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/planner"
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
	ask        *planner.Request
	source     *dump.Source
	objects    Objects
	lake       *lake.Lake
	home       *lake.Home
	declared   *lake.Declared
	unfinished *commit.Unfinished
	mappings   MappingReader
	budget     exec.Budget // of the apply, for estimates
	// measure computes what the steps of a table come to, where exact figures are asked
	// for; nil where they are not.
	measure func(ctx context.Context, p *Plan, t *TablePlan) error
}

// tagged reports whether the pins of the source are ETags.
func (r *Planner) tagged() bool { return r.ask.Config.Source.S3 != nil }
