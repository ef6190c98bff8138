package state

import "reconcile/state/internal/kv"

// Format is one of the formats that states had, have, or will have.
type Format = kv.Format

// Raise is a newer format that a transaction gives a state.
type Raise struct {
	From uint32
	To   Format
}

// RaiseOf is what a transaction in a format does to a state of another; nil if that is as new.
func RaiseOf(from uint32, to Format) *Raise {
	if from >= to.Number {
		return nil
	}
	return &Raise{From: from, To: to}
}
