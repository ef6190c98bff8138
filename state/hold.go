package state

import (
	"math"
	"strings"

	"reconcile/state/internal/kv"
)

// Hold is something that waits, and why: a table at a dump for a file to be mended or for
// somebody to accept what a guard stopped, a table as a whole for an object of the state,
// or a whole dump. The state keeps those that lie in a file, an object or a guard; while
// the pin stays, the file or object is not read again.
type Hold struct {
	Table string `cbor:"1,keyasint" json:"table,omitempty"` // empty: a whole dump, or the tables of a sink
	Sink  string `cbor:"-" json:"sink,omitempty"`           // root of a sink that is not there
	Dump  int64  `cbor:"2,keyasint" json:"dump,omitempty"`
	File  string `cbor:"3,keyasint,omitempty" json:"file,omitempty"`
	// Guard is the guard that tripped, if one did, and Accept what -accept names to let
	// the delivery through.
	Guard  string `cbor:"-" json:"guard,omitempty"`
	Accept string `cbor:"-" json:"accept,omitempty"`
	// Object is the digest of an object of the state that cannot be read; there is
	// neither a dump nor a file then. Missing says that it was not there.
	Object  string `cbor:"10,keyasint,omitempty" json:"object,omitempty"`
	Missing bool   `cbor:"11,keyasint,omitempty" json:"-"`
	// Pin is that of the file or the object as it was found.
	Pin    string `cbor:"4,keyasint,omitempty" json:"-"`
	Reason string `cbor:"5,keyasint" json:"reason"`
	// Skip is the block of the source that leaves the delivery out, the reviewed way
	// past it; empty if that is none. SkipTables are the tables of that block.
	Skip       string   `cbor:"-" json:"skip_dump,omitempty"`
	SkipTables []string `cbor:"-" json:"-"`
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
