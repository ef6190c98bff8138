package lease

import "time"

// Clock tells a holder how much of his lease has passed, and a waiter when to
// look again. It may be used by several goroutines.
type Clock interface {
	Now() Instant
	// After sends once, when d has passed.
	After(d time.Duration) <-chan time.Time
}

// Instant is a moment by two clocks. Neither alone will do: the monotonic one
// stands still while a machine is suspended, the wall clock can be set back.
type Instant struct {
	Mono time.Duration // since a moment that is the same for a Clock
	Wall time.Time
}

// since returns what has passed since an earlier instant, by the clock that says
// more.
func (i Instant) since(earlier Instant) time.Duration {
	return max(i.Mono-earlier.Mono, i.Wall.Sub(earlier.Wall))
}

// systemClock is the clock of this machine.
type systemClock struct{ start time.Time }

func (c systemClock) Now() Instant {
	now := time.Now()
	return Instant{Mono: now.Sub(c.start), Wall: now.Round(0)} // without its monotonic reading
}

func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
