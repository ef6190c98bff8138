package rules

import "math"

// Dump is what counts of one dump of a table.
type Dump struct {
	ID        int64
	Full      bool // incremental is false: everything before is void
	Skipped   bool // a skip_dump block leaves it out
	Withdrawn bool // the table has it, and it is left out or no longer lists the table
	Held      bool // it cannot be taken
	Lost      bool // the source no longer has it: its rows are gone, what it made void stays void
}

// AllLive is the floor of a table without a full resync: all its rows count.
const AllLive int64 = math.MinInt64

// Live returns the floor of a table that has or takes these dumps, in any order: the
// dump from which on its rows count, which is the latest full resync that is neither
// left out nor held, and AllLive without one.
//
// The contract: live(T) is T's rows in the dumps from its latest incremental:false
// dump on, that dump included, or in all dumps if it never had one.
func Live(dumps []Dump) (floor int64) {
	floor = AllLive
	for _, d := range dumps {
		if d.Full && !d.Skipped && !d.Withdrawn && !d.Held {
			floor = max(floor, d.ID)
		}
	}
	return floor
}

// Brings reports whether the dump brings rows that count where the floor is this one.
func (d Dump) Brings(floor int64) bool {
	return d.ID >= floor && !d.Skipped && !d.Withdrawn && !d.Held && !d.Lost
}
