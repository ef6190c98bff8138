package state

import (
	"math"
	"strings"

	"reconcile/state/internal/kv"
)

// Hold is what the state keeps of something that waits in a file, an object of the state
// or a guard: while the pin stays, the file or object is not read again.
type Hold struct {
	Table string `cbor:"1,keyasint"`
	Dump  int64  `cbor:"2,keyasint"`
	File  string `cbor:"3,keyasint,omitempty"`
	// Guard is the guard that tripped, if one did.
	Guard string `cbor:"-"`
	// Object is the digest of an object of the state that cannot be read; there is
	// neither a dump nor a file then. Missing says that it was not there.
	Object  string `cbor:"10,keyasint,omitempty"`
	Missing bool   `cbor:"11,keyasint,omitempty"`
	// Pin is that of the file or the object as it was found.
	Pin    string `cbor:"4,keyasint,omitempty"`
	Reason string `cbor:"5,keyasint"`
}

// In the file, a hold by an object stands at a dump that no delivery has, and one by a
// guard has the guard in its pin.
const (
	objectHoldDump = math.MinInt64
	guardPinPrefix = "guard "
)

// stored returns h as it is stored.
func (h Hold) stored() Hold {
	if h.Object != "" {
		h.Dump = objectHoldDump
	}
	if h.Guard != "" {
		h.Pin = guardPinPrefix + h.Guard
	}
	return h
}

// unstored is the inverse of stored.
func (h Hold) unstored() Hold {
	if h.Object != "" {
		h.Dump = 0
	}
	if guard, ok := strings.CutPrefix(h.Pin, guardPinPrefix); ok {
		h.Guard, h.Pin = guard, ""
	}
	return h
}

// key is where the hold stands in the file.
func (h Hold) key() []byte {
	s := h.stored()
	return holdKey(s.Table, s.Dump)
}

// PutHold stores h in the place of one of the same table and dump, or of the same table
// and any object.
func (tx *Tx) PutHold(h Hold) error { return tx.changes.Put(kv.Holds, h.key(), h.stored()) }

// DeleteHold forgets h; that it is not there is no error.
func (tx *Tx) DeleteHold(h Hold) error { return tx.changes.Remove(kv.Holds, h.key()) }
