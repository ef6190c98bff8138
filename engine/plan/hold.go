package plan

import "slices"

// Hold is something that waits, and why.
type Hold struct {
	Table string `cbor:"1,keyasint,omitempty"` // empty: a whole dump, or the tables of a sink
	Sink  string `cbor:"2,keyasint,omitempty"` // root of a sink that is not there
	Dump  int64  `cbor:"3,keyasint,omitempty"`
	File  string `cbor:"4,keyasint,omitempty"`
	// Guard is the guard that tripped, if one did, and Accept what -accept names to let
	// the delivery through.
	Guard  string `cbor:"5,keyasint,omitempty"`
	Accept string `cbor:"6,keyasint,omitempty"`
	// Object is the digest of an object of the state that cannot be read; there is
	// neither a dump nor a file then.
	Object string `cbor:"7,keyasint,omitempty"`
	Reason string `cbor:"8,keyasint,omitempty"`
	// Skip is the block of the source that leaves the delivery out, the reviewed way
	// past it; empty if that is none. SkipTables are the tables of that block.
	Skip       string   `cbor:"9,keyasint,omitempty"`
	SkipTables []string `cbor:"10,keyasint,omitempty"`
}

// HeldByGuard reports whether a guard is among the reasons of holds.
func HeldByGuard(holds []Hold) bool {
	return slices.ContainsFunc(holds, func(h Hold) bool { return h.Guard != "" })
}
