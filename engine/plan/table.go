package plan

import "slices"

// Table is what a plan does to one table.
type Table struct {
	Name   string
	Action Action
	// Steps are the commits that an apply makes of the table, in their order. A step is
	// made into a task from the state that the one before it left.
	Steps  []Step
	Change ConfigDiff
	Dumps  []DumpStep // that the table takes, by id
	// NewColumns are columns that the table does not have yet.
	NewColumns []string
	Behind     bool // left out by -target

	RowsNow       int64
	PartitionsNow int
	Partitions    int64 // to write
	BytesToWrite  int64
	Scratch       int64 // about what it takes in scratch_dir meanwhile
	Exact         bool  // Partitions, BytesToWrite and Counts are exact
	Counts        *Counts

	Rekeyed     int      // users that change the person that they stand for
	Drift       []string // files of the sinks that are not as they were written
	Lost        []int64  // dumps that a rebuild needs and the source lacks
	LostMapping *int64   // a sink stood at it, and the source lacks it
	Destroys    []string // what the configuration destroys
	Keeping     []string // how to keep what Destroys names
	Removes     []string // data files that the state does not know
}

// StepKind is what a step of a table is about.
type StepKind int

// The kinds of steps.
const (
	// StepChange makes the table what its configuration says, or repairs it, from the
	// dumps that it has.
	StepChange StepKind = iota + 1
	// StepTake takes dumps and brings the table to the mapping in force.
	StepTake
	// StepRemove takes the table out of the state and, unless the action is Forget, its
	// files out of the sinks.
	StepRemove
)

// Step is one commit of a table.
type Step struct {
	Kind StepKind
	// Class is what a StepChange costs.
	Class Class
	// ReadFrom is the root of the sink whose rows a rewrite reads; empty for any.
	ReadFrom string
}

// DumpStep is one dump that a table is about to take.
type DumpStep struct {
	Dump   int64
	Files  int
	Bytes  int64
	Resync bool
	Void   bool // a later resync makes it void: not read
	// Again says that the table has it, and that a file of it has grown since.
	Again bool
}

// Clone returns a copy that shares nothing with t.
func (t *Table) Clone() *Table {
	out := *t
	out.Steps, out.Dumps = slices.Clone(t.Steps), slices.Clone(t.Dumps)
	out.Change.Reasons, out.NewColumns = slices.Clone(t.Change.Reasons), slices.Clone(t.NewColumns)
	out.Drift, out.Lost = slices.Clone(t.Drift), slices.Clone(t.Lost)
	out.Destroys, out.Keeping, out.Removes = slices.Clone(t.Destroys), slices.Clone(t.Keeping), slices.Clone(t.Removes)
	if t.Counts != nil {
		c := *t.Counts
		out.Counts = &c
	}
	if t.LostMapping != nil {
		m := *t.LostMapping
		out.LostMapping = &m
	}
	return &out
}

// Destructive reports whether the steps replace or remove what is there.
func (t *Table) Destructive() bool {
	switch {
	case t.Action == Destroy || t.Action == Rebuild || len(t.Destroys) > 0:
		return true
	case t.Action == Update:
		return slices.ContainsFunc(t.Dumps, func(d DumpStep) bool { return d.Resync })
	}
	return false
}
