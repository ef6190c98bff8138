package lease

import (
	"fmt"
	"time"
)

// HeldError says who holds the lease, or held it until it was force-unlocked a
// moment ago.
type HeldError struct {
	Place  string // of the lease
	Status Status
}

func (e *HeldError) Error() string {
	s := e.Status
	if s.State == Forced {
		return fmt.Sprintf("lease %s of %s was force-unlocked, and is free when %s have passed since its last renewal (%s): wait for it with -lock-timeout",
			e.Place, s.Holder, s.TTL+s.Margin, s.renewed())
	}
	return fmt.Sprintf("lease %s is held by %s, %s: wait for it with -lock-timeout; it expires %s after its last renewal; if that process hangs, end its renewals with: reconcile force-unlock %s",
		e.Place, s.Holder, s.renewed(), s.TTL+s.Margin, s.ID)
}

// renewed says how long ago the last renewal was.
func (s Status) renewed() string {
	if s.Now.IsZero() {
		return "renewed nobody knows when, as the store does not tell its time"
	}
	return fmt.Sprintf("renewed %s ago", s.Age.Round(time.Second))
}

// LostError says that a lease was lost while it was held, and to whom.
type LostError struct {
	Place string
	// By is the lease as it was found; nil if it was not read or is gone.
	By     *Status
	Reason string // how it was lost
	Err    error  // of the last renewal, nil if that was refused or not sent
}

func (e *LostError) Error() string {
	text := fmt.Sprintf("lease %s was lost: %s", e.Place, e.Reason)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *LostError) Unwrap() error { return e.Err }

// DamagedError says that what stands in the lease's place is no lease, or not
// what was written.
type DamagedError struct {
	Place  string
	Reason string
	// ID is what Force takes for the ID of what stands there.
	ID string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("lease %s is damaged: %s; nothing was changed; see that no reconcile is at work on this state, then free it with: reconcile force-unlock %s",
		e.Place, e.Reason, e.ID)
}
