package state

import (
	"fmt"
	"time"
)

// LockState says how the lock of a state stands.
type LockState string

// A lock that was forced has no holder who could renew it, and is free when the time of
// his last renewal is over.
const (
	LockFree    LockState = "free"
	LockHeld    LockState = "held"
	LockForced  LockState = "forced"
	LockDamaged LockState = "damaged"
)

// LockStatus is the lock of a state as it was read.
type LockStatus struct {
	Place string // of the state
	State LockState
	// Lease says that it is an object in a store, which outlives its holder. Else it is
	// a lock on a file, which ends with its process, and only State and Holder are set.
	Lease      bool
	Holder     Holder // zero if nobody has it, or he did not say
	ID         string // what ForceUnlock takes
	Generation uint64
	TTL        time.Duration // how long it lasts without renewal
	Margin     time.Duration // what a waiter adds
	Age        time.Duration // since the last renewal, by the store's clock
	Dated      bool          // the store tells its clock: Age and Expired mean something
	Expired    bool          // TTL and Margin have passed: who wants it has it
	Detail     string        // what is wrong with a damaged one
}

// FreeIn returns how long the lock is still kept from others if it is not renewed.
func (s *LockStatus) FreeIn() time.Duration {
	if s.State == LockFree || s.Expired {
		return 0
	}
	return max(0, s.TTL+s.Margin-s.Age)
}

// NotHeldError says that there is nothing to unlock by force.
type NotHeldError struct{ Place string }

func (e *NotHeldError) Error() string {
	return fmt.Sprintf("nobody holds the lock of state %s: nothing was changed", e.Place)
}
