package identity

import (
	"cmp"
	"slices"
)

// examples is how many conflicts, cycles and members of a cycle a Report names.
const examples = 10

// Conflict is a source that was delivered with more than one target.
type Conflict struct {
	From   int64
	Chosen int64 // the target that holds
	Other  int64 // the newest of the targets that do not
}

// Cycle is a ring of users that migrate to each other.
type Cycle struct {
	Size    int     // number of users in the ring, tails not counted
	Members []int64 // the smallest ids of it, ascending, ten at most
}

// Report says what a builder found in the entries. The examples are those with
// the smallest ids, at most ten of each.
type Report struct {
	Entries        int // distinct sources
	Conflicts      int // sources with more than one target
	FirstConflicts []Conflict
	loops
}

// loops is the part of a Report that the mapping alone tells.
type loops struct {
	SelfMaps    int // sources that map to themselves
	Cycles      int
	FirstCycles []Cycle
	Chained     int // sources more than one hop from their end, cycles not counted
}

// conflict counts c; it is called in ascending order of From.
func (r *Report) conflict(c Conflict) {
	r.Conflicts++
	if len(r.FirstConflicts) < examples {
		r.FirstConflicts = append(r.FirstConflicts, c)
	}
}

// cycle counts c and keeps it if its smallest id is among the smallest.
func (l *loops) cycle(c Cycle) {
	l.Cycles++
	at, _ := slices.BinarySearchFunc(l.FirstCycles, c.Members[0], func(c Cycle, id int64) int {
		return cmp.Compare(c.Members[0], id)
	})
	if at < examples {
		l.FirstCycles = slices.Insert(l.FirstCycles, at, c)
		l.FirstCycles = l.FirstCycles[:min(len(l.FirstCycles), examples)]
	}
}
