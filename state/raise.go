package state

import (
	"context"
	"fmt"
)

// raising backs a state up before a transaction raises its format, once: programs that are
// older than the format cannot read the state any more, and nothing else leads back.
type raising struct {
	place string
	keep  func(context.Context) (string, error) // returns where; nil for not doing it
	kept  string
	notes []string // for people
}

// before has the state backed up, if need be, before a transaction.
func (b *raising) before(ctx context.Context, r *Raise) error {
	if r == nil || b.keep == nil || b.kept != "" {
		return nil
	}
	place, err := b.keep(ctx)
	if err != nil {
		return fmt.Errorf("the format of state %s is to be raised from %d to %d, and the backup before that failed: %w; nothing was changed", b.place, r.From, r.To.Number, err)
	}
	b.kept = place
	b.notes = append(b.notes, fmt.Sprintf("the state was backed up in %s, as the first commit raises its format from %d to %d: after that only reconcile %s or later reads it", place, r.From, r.To.Number, r.To.Program))
	return nil
}
