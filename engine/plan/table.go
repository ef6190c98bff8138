package plan

import "slices"

// Table is what a plan does to one table.
type Table struct {
	Name   string `cbor:"1,keyasint,omitempty"`
	Action Action `cbor:"2,keyasint,omitempty"`
	// Steps are the commits that an apply makes of the table, in their order. A step is
	// made into a task from the state that the one before it left.
	Steps  []Step     `cbor:"3,keyasint,omitempty"`
	Change ConfigDiff `cbor:"4,keyasint,omitempty"`
	Dumps  []DumpStep `cbor:"5,keyasint,omitempty"` // that the table takes, by id
	// NewColumns are columns that the dumps bring and the table does not have yet, as far as
	// manifests list them. A mask that drops a column leaves it out here.
	NewColumns []string `cbor:"6,keyasint,omitempty"`
	Behind     bool     `cbor:"7,keyasint,omitempty"` // left out by -target

	RowsNow       int64   `cbor:"8,keyasint,omitempty"`
	PartitionsNow int     `cbor:"9,keyasint,omitempty"`
	Partitions    int64   `cbor:"10,keyasint,omitempty"` // to write
	BytesToWrite  int64   `cbor:"11,keyasint,omitempty"`
	Scratch       int64   `cbor:"12,keyasint,omitempty"` // about what it takes in scratch_dir meanwhile
	Exact         bool    `cbor:"13,keyasint,omitempty"` // Partitions, BytesToWrite and Counts are exact
	Counts        *Counts `cbor:"14,keyasint,omitempty"`

	Rekeyed     int      `cbor:"15,keyasint,omitempty"` // users that change the person that they stand for
	Drift       []string `cbor:"16,keyasint,omitempty"` // files of the sinks that are not as they were written
	Lost        []int64  `cbor:"17,keyasint,omitempty"` // dumps that a rebuild needs and the source lacks
	LostMapping *int64   `cbor:"18,keyasint,omitempty"` // a sink stood at it, and the source lacks it
	Destroys    []string `cbor:"19,keyasint,omitempty"` // what the configuration destroys
	Keeping     []string `cbor:"20,keyasint,omitempty"` // how to keep what Destroys names
	Removes     []string `cbor:"21,keyasint,omitempty"` // data files that the state does not know

	// Inputs are what the steps were planned from; nil unless they were asked for.
	Inputs *Inputs `cbor:"22,keyasint,omitempty"`

	// TypeChanges are columns of which the configuration makes another type.
	TypeChanges []TypeChange `cbor:"23,keyasint,omitempty"`
	// NewMasks are masks of the configuration that meet columns which the dumps bring.
	NewMasks []ColumnMask `cbor:"24,keyasint,omitempty"`
	// Checks are those that judge what the table takes.
	Checks []TableCheck `cbor:"28,keyasint,omitempty"`
}

// TypeChange is a column of another type than before. What is masked is a string.
type TypeChange struct {
	Column string `cbor:"1,keyasint,omitempty"`
	From   string `cbor:"2,keyasint,omitempty"`
	To     string `cbor:"3,keyasint,omitempty"`
}

// ColumnMask is a column and what masks it.
type ColumnMask struct {
	Column string `cbor:"1,keyasint,omitempty"` // as delivered, where the mask drops it
	Method string `cbor:"2,keyasint,omitempty"`
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
	// StepRestore makes a table of a state that is lost, from the dumps that the lake has
	// and at the mapping where it stands. Only a rebuild of the state has such steps.
	StepRestore
)

// Step is one commit of a table: what its task is made from, beside the dumps that the
// table takes and has lost.
type Step struct {
	Kind StepKind `cbor:"1,keyasint,omitempty"`
	// Class is what a StepChange costs.
	Class Class `cbor:"2,keyasint,omitempty"`
	// ReadFrom is the root of the sink whose rows a rewrite reads; empty for any.
	ReadFrom string `cbor:"3,keyasint,omitempty"`
	// Repair says that nothing of the table's old content is trusted.
	Repair bool `cbor:"4,keyasint,omitempty"`
	// Remaps says that a StepChange brings the table to the mapping in force, too. Else it
	// stays at the one where it stands.
	Remaps bool `cbor:"5,keyasint,omitempty"`
	// Without are the digests of damaged objects of the state that a rewrite does without.
	Without []string `cbor:"6,keyasint,omitempty"`
	// Masks says that a StepChange masks a column that was plain.
	Masks bool `cbor:"7,keyasint,omitempty"`
	// Before is the dump from which on a rebuild takes no dumps of the table, as one is
	// held; nil for none.
	Before *int64 `cbor:"8,keyasint,omitempty"`
}

// Step returns the step of a kind, if the table has one.
func (t *Table) Step(kind StepKind) (Step, bool) {
	for _, s := range t.Steps {
		if s.Kind == kind {
			return s, true
		}
	}
	return Step{}, false
}

// Clone returns a copy that shares nothing with s.
func (s Step) Clone() Step {
	s.Without = slices.Clone(s.Without)
	if s.Before != nil {
		before := *s.Before
		s.Before = &before
	}
	return s
}

// DumpStep is one dump that a table is about to take.
type DumpStep struct {
	Dump   int64 `cbor:"1,keyasint,omitempty"`
	Files  int   `cbor:"2,keyasint,omitempty"`
	Bytes  int64 `cbor:"3,keyasint,omitempty"`
	Resync bool  `cbor:"4,keyasint,omitempty"`
	Void   bool  `cbor:"5,keyasint,omitempty"` // a later resync makes it void: not read
	// Again says that the table has it, and that a file of it has grown since.
	Again bool `cbor:"6,keyasint,omitempty"`
}

// OnlyNotes reports whether an apply is to write nothing of the table but what it has
// taken: dumps that have no files for it, or a mapping that moves none of its rows.
func (t *Table) OnlyNotes() bool {
	if t.Action != Update || t.Change.Class != ClassNone || t.BytesToWrite > 0 || t.Partitions > 0 {
		return false
	}
	return !t.Destructive() && len(t.NewColumns)+len(t.Drift)+len(t.Removes)+len(t.Lost) == 0 && t.LostMapping == nil
}

// Clone returns a copy that shares nothing with t.
func (t *Table) Clone() *Table {
	out := *t
	out.Steps, out.Dumps = slices.Clone(t.Steps), slices.Clone(t.Dumps)
	for i, s := range out.Steps {
		out.Steps[i] = s.Clone()
	}
	out.Change.Reasons, out.NewColumns = slices.Clone(t.Change.Reasons), slices.Clone(t.NewColumns)
	out.Drift, out.Lost = slices.Clone(t.Drift), slices.Clone(t.Lost)
	out.Destroys, out.Keeping, out.Removes = slices.Clone(t.Destroys), slices.Clone(t.Keeping), slices.Clone(t.Removes)
	out.TypeChanges, out.NewMasks, out.Checks = slices.Clone(t.TypeChanges), slices.Clone(t.NewMasks), slices.Clone(t.Checks)
	for i := range out.Checks {
		out.Checks[i].Reads = slices.Clone(out.Checks[i].Reads)
	}
	if t.Counts != nil {
		c := *t.Counts
		out.Counts = &c
	}
	if t.Inputs != nil {
		out.Inputs = t.Inputs.clone()
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
