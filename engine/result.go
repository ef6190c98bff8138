package engine

import (
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/stores"
)

// TableResult is what an apply did to one table.
type TableResult struct {
	Name     string
	Action   plan.Action
	Class    plan.Class // what the configuration changed
	Counts   plan.Counts
	Unlisted map[string]int64 // rows by field that no manifest lists
	// RedeliveryOf is the dump that the one applied delivered again, byte for byte.
	RedeliveryOf *int64
	// Resyncs are the full resyncs that were committed, of a table that was there before.
	Resyncs []int64
	// Moved counts the data files that were replaced, added or removed.
	Moved int
	Err   error
}

// OnlyNoted reports whether nothing came of an apply for the table but a note of what it
// has taken.
func (t *TableResult) OnlyNoted() bool {
	c := t.Counts
	changed := c.Added + c.Replaced + c.Rekeyed + c.Collapsed + c.Revived + c.Removed + c.Quarantined + c.Rescued + c.Rounded
	return t.Err == nil && t.Action == plan.Update && t.Class == plan.ClassNone && t.Moved == 0 && changed == 0
}

// Result is what an apply did. An apply that was interrupted has the tables
// that it finished.
type Result struct {
	Recovered []string
	// Forgotten are the sinks that the state no longer has.
	Forgotten []plan.ForgottenSink
	// Moved are the sinks that the state knows at another place now.
	Moved  []plan.MovedSink
	Tables []TableResult
	Holds  []plan.Hold
	// Checks are those that failed, the ones that only warn among them.
	Checks []plan.FailedCheck
	// BadMappings counts the rows without both ids of a newly read mapping. They
	// are in the quarantine, whether or not a table block takes user_migrations.
	BadMappings int64
	Traffic     []stores.Traffic
}

// Partial reports whether something was held or failed while the rest went on.
func (r *Result) Partial() bool {
	return len(r.Holds) > 0 || slices.ContainsFunc(r.Tables, func(t TableResult) bool { return t.Err != nil })
}

// holdOf is the hold of a table by a file.
func holdOf(table string, bad *exec.Held) plan.Hold {
	return plan.Hold{Table: table, Dump: bad.Dump, File: bad.File, Reason: bad.Reason}
}
