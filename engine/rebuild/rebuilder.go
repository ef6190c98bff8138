// Package rebuild makes a state anew that is lost, from the source and what current.json
// says of each table: by exactly the dumps and at exactly the mapping that the lake stands
// at, so that the plan after it shows what is really pending. Data files that hold the
// right rows stay.
//
// One transaction makes the new state, with all tables and their publish lists. Before it
// nothing of the lake has changed and there is no new state; after it there is a whole
// one, and recovery finishes what it lists. So a run that is killed is done again or
// finished, whatever it had come to. A state that reads whole is never replaced.
package rebuild

import (
	"context"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/planner"
	"reconcile/engine/published"
	"reconcile/state"
)

// Rebuilder makes the state of a configuration anew. One goroutine uses it at a time.
type Rebuilder struct {
	Store   *state.Store
	Planner *planner.Planner
	Commits commit.Options
	Apply   Apply
}

// Apply is what a rebuild has in common with an apply.
type Apply interface {
	// Scratch makes the scratch folder of the command; what it returns removes it.
	Scratch() (func(), error)
	// Step prepares the step that computes a table of a session whose state is made anew.
	Step(ctx context.Context, l *state.Lock, p *planner.Session, t *planner.Table) (Step, error)
	// StoreMapping writes the objects of a mapping, and gives its record their names.
	StoreMapping(ctx context.Context, m *planner.MappingRead, record *state.Mapping) ([]*state.Sealed, error)
	// Finish removes what earlier commits and stopped commands left, and renews the
	// fingerprints of the folders of committed tables. snap is the state as it is.
	Finish(ctx context.Context, l *state.Lock, p *planner.Session, snap *state.Snapshot) error
}

// Step is the step of a table. Task and Env are its own: what is set there before Execute
// counts.
type Step interface {
	Task() *exec.Task
	Env() *exec.Env
	// Execute carries out the task, which may become another one by that.
	Execute(ctx context.Context) (*exec.Result, error)
	// Change is what is committed of the result.
	Change(ctx context.Context, d *exec.Done) (*commit.Change, error)
	// TakeOver replaces what a change staged by published files of the same rows.
	TakeOver(ctx context.Context, c *commit.Change, files []published.File) error
}
