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
	"time"

	"reconcile/engine/commit"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
	"reconcile/engine/work"
	"reconcile/state"
)

// Rebuilder makes the state of a configuration anew. One goroutine uses it at a time.
type Rebuilder struct {
	Store   *state.Store
	Planner *planner.Planner
	Commits commit.Options
	Apply   Apply
	Now     func() time.Time
	Meter   *work.Meter
}

// Apply is what a rebuild has in common with an apply.
type Apply interface {
	// Begin makes the scratch folder of the command, which remove removes, and what makes
	// steps that work there.
	Begin() (m *steps.Maker, remove func(), err error)
	// Finish removes what earlier commits and stopped commands left, and renews the
	// fingerprints of the folders of tables. snap is the state as it is.
	Finish(ctx context.Context, l *state.Lock, tables []string, snap *state.Snapshot) error
}
