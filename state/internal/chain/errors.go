package chain

import (
	"errors"
	"fmt"
)

// ErrBeginAgain reports that what was read is no longer where it was: the chain
// moved on meanwhile, or what the reader began with is not part of it. Who began
// with a cache or a checkpoint begins again at the newest checkpoint; who did that
// is told to run again. It is no damage.
var ErrBeginAgain = errors.New("the state has moved on since it was read; run again")

// DamagedError says that something of a chain is not what was written.
type DamagedError struct {
	Place  string // root of the store
	Key    string
	Reason string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s/%s is damaged: %s; \"reconcile state restore\" brings back a backup, \"reconcile state rebuild\" makes the state anew from the source and what is published; nothing was changed",
		e.Place, e.Key, e.Reason)
}

// NewerError says that a newer program wrote a record.
type NewerError struct {
	Place string
	Key   string
	Found int // format of the record
	// Newest is the newest format that is read.
	Newest  uint32
	Program string // that wrote it, if it says so
	Needs   string // the first version that reads it, if it says so
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s/%s has format %d, and this program reads up to format %d: use the version of reconcile that wrote it, or a later one",
		e.Place, e.Key, e.Found, e.Newest)
}

// isDamage reports whether err says that something is damaged.
func isDamage(err error) bool {
	var d *DamagedError
	return errors.As(err, &d)
}
