package engine

import (
	"cmp"
	"context"
	"errors"

	"reconcile/sinks"
)

// stopsTable reports whether an error concerns one table and what shares its
// sink, so that the rest can go on: a sink that fails, or that somebody else
// changed under a commit.
func (e *Engine) stopsTable(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var se *sinks.UnavailableError
	if errors.As(err, &se) {
		e.down[se.Root] = se
		return true
	}
	return errors.Is(err, sinks.ErrDrift) || sinks.OfFolder(err) || distrusted(err) != nil
}

// unreachable returns why a table cannot be worked on in this run, nil if it
// can: one of its sinks failed, or its last commit could not be finished.
func (e *Engine) unreachable(t *TablePlan) error {
	if err := e.stuck[t.Name]; err != nil && (t.repair == "" || distrusted(err) == nil) {
		return err
	}
	for _, at := range foldersOf(t) {
		if err := cmp.Or(e.down[at.root], e.gone[at.root]); err != nil {
			return err
		}
	}
	return nil
}
