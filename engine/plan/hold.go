package plan

import "slices"

// Hold is something that waits, and why.
type Hold struct {
	Table string // empty: a whole dump, or the tables of a sink
	Sink  string // root of a sink that is not there
	Dump  int64
	File  string
	// Guard is the guard that tripped, if one did, and Accept what -accept names to let
	// the delivery through.
	Guard, Accept string
	// Object is the digest of an object of the state that cannot be read; there is
	// neither a dump nor a file then.
	Object string
	Reason string
	// Skip is the block of the source that leaves the delivery out, the reviewed way
	// past it; empty if that is none. SkipTables are the tables of that block.
	Skip       string
	SkipTables []string
}

// HeldByGuard reports whether a guard is among the reasons of holds.
func HeldByGuard(holds []Hold) bool {
	return slices.ContainsFunc(holds, func(h Hold) bool { return h.Guard != "" })
}
