package state

import (
	"errors"
	"fmt"
)

// MovedError says that a state is not to be used where it is: it was moved away, or is
// not wholly moved here yet.
type MovedError struct {
	Place string
	To    string // where it was moved; empty if it is still being moved here
	From  string // where it is being moved from
}

func (e *MovedError) Error() string {
	if e.To != "" {
		return fmt.Sprintf("the state %s was moved to %s and is closed: let the state block of the configuration name that place; nothing was changed", e.Place, e.To)
	}
	return fmt.Sprintf("the state %s is being moved here from %s, and that was not finished: run `reconcile init -migrate-state` again; nothing was changed", e.Place, e.From)
}

// usable passes a snapshot on if its state is open.
func usable(place string, snap *Snapshot, err error) (*Snapshot, error) {
	if err == nil && snap.Successor+snap.Arriving != "" {
		err = &MovedError{Place: place, To: snap.Successor, From: snap.Arriving}
	}
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return snap, nil
}
