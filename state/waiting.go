package state

import "reconcile/state/internal/kv"

// Waiting is what the last apply left waiting. It is written when that becomes another,
// so that what goes on to wait costs nothing.
type Waiting struct {
	Holds  []HeldSince    `cbor:"1,keyasint,omitempty"`
	Tables []WaitingTable `cbor:"2,keyasint,omitempty"` // by name
}

// HeldSince is something that an apply met as held, and since when applies do, in ms since
// the epoch. Of a table that is when it began to be held, for whatever reason; the rest is
// as the apply met it that wrote this.
type HeldSince struct {
	Table  string `cbor:"1,keyasint,omitempty"`
	Sink   string `cbor:"2,keyasint,omitempty"` // root
	Dump   int64  `cbor:"3,keyasint,omitempty"`
	File   string `cbor:"4,keyasint,omitempty"`
	Guard  string `cbor:"5,keyasint,omitempty"`
	Object string `cbor:"6,keyasint,omitempty"` // digest
	Reason string `cbor:"7,keyasint,omitempty"`
	Since  int64  `cbor:"8,keyasint,omitempty"`
	// Accept is what -accept names to let it through; empty where an earlier version wrote it.
	Accept string `cbor:"9,keyasint,omitempty"`
}

// WaitingTable is a table that an apply left as it was, or the mapping by its name.
type WaitingTable struct {
	Table string `cbor:"1,keyasint"`
	// Unapplied is how many dumps that were delivered it has not applied, Newest the
	// greatest of them.
	Unapplied int   `cbor:"2,keyasint,omitempty"`
	Newest    int64 `cbor:"3,keyasint,omitempty"`
	// Behind says that -target left something of it undone.
	Behind bool `cbor:"4,keyasint,omitempty"`
}

// Empty reports whether nothing waits.
func (w *Waiting) Empty() bool { return len(w.Holds)+len(w.Tables) == 0 }

// waitingKey is the setting that is a Waiting.
const waitingKey = "waiting"

// SetWaiting stores what an apply left waiting.
func (tx *Tx) SetWaiting(w *Waiting) error {
	if w.Empty() {
		return tx.DeleteSetting(waitingKey)
	}
	return tx.changes.Put(kv.Settings, []byte(waitingKey), w)
}
