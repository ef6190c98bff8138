package commit

import (
	"reconcile/engine/plan"
	"reconcile/state"
)

// Note says what the table's history is to tell of the change, the number of its commit
// aside: of what kind it is, when it was made, in ms since the epoch, which dumps it takes,
// and what became of the rows.
func (c *Change) Note(kind state.CommitKind, at int64, dumps []int64, n plan.Counts) {
	c.log = state.Commit{At: at, Kind: kind, Added: n.Added, Replaced: n.Replaced, Rekeyed: n.Rekeyed, Collapsed: n.Collapsed,
		Revived: n.Revived, Removed: n.Removed, Quarantined: n.Quarantined, Rescued: n.Rescued, Rows: c.Table.Rows}
	c.log.SetDumps(dumps)
	if c.Table.HasMapping {
		c.log.Mapping = &c.Table.MappingDump
	}
}

// follow makes the commit of a serial the newest one of the history that the table has in
// the state.
func (c *Change) follow(serial uint64) error {
	log := c.log
	log.Serial = serial
	return c.Table.Follow(c.before, log)
}
