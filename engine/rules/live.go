package rules

import "math"

// Dump is what counts of one dump of a table.
type Dump struct {
	ID        int64
	Full      bool // incremental is false: everything before is void
	Skipped   bool // a skip_dump block leaves it out
	Withdrawn bool // the table has it, and it is left out or no longer lists the table
	Held      bool // it cannot be taken
	Lost      bool // the source no longer has it: its rows are gone, what it voided stays void
}

// Floor is the dump of a table from which on rows count: rows of smaller dumps are void.
type Floor int64

// AllLive is the floor of a table without a full resync: all its rows count.
const AllLive Floor = math.MinInt64

// Live returns the floor of a table that has or takes these dumps, in any order: its
// latest full resync, and AllLive without one.
//
// The contract: live(T) is T's rows in the dumps from its latest incremental:false
// dump on, that dump included, or in all dumps if it never had one.
func Live(dumps []Dump) Floor {
	id, ok := LatestResync(dumps)
	if !ok {
		return AllLive
	}
	return Floor(id)
}

// LatestResync returns the latest of the dumps that makes everything before it void: a
// full resync that is neither left out nor held. A lost one does so still.
func LatestResync(dumps []Dump) (id int64, ok bool) {
	for _, d := range dumps {
		if d.Full && !d.Skipped && !d.Withdrawn && !d.Held && (!ok || d.ID > id) {
			id, ok = d.ID, true
		}
	}
	return id, ok
}

// Live reports whether rows of a dump count.
func (f Floor) Live(dump int64) bool { return dump >= int64(f) }

// Before reports whether a dump comes after the one that the floor is.
func (f Floor) Before(dump int64) bool { return dump > int64(f) }

// Brings reports whether the dump brings rows that count.
func (d Dump) Brings(floor Floor) bool {
	return floor.Live(d.ID) && !d.Skipped && !d.Withdrawn && !d.Held && !d.Lost
}
