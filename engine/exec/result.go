package exec

import "reconcile/engine/plan"

// Result is what became of a task: one outcome, with what belongs to it.
type Result struct {
	Task    string  `cbor:"1,keyasint"` // digest of the task
	Attempt string  `cbor:"2,keyasint,omitempty"`
	Outcome Outcome `cbor:"6,keyasint"`
	Done    *Done   `cbor:"3,keyasint,omitempty"` // of OutcomeDone alone
	Held    *Held   `cbor:"4,keyasint,omitempty"` // of OutcomeHeld alone
	Again   *Again  `cbor:"5,keyasint,omitempty"` // of OutcomeAgain alone
}

// Outcome says how a task ended.
type Outcome string

// The outcomes. Again is none of those that end a step: what a task names decides its
// columns, and only reading tells that it did not name all. Whoever made the task makes
// it again with what Again says, and has that carried out.
const (
	OutcomeDone    Outcome = "done"
	OutcomeHeld    Outcome = "held"
	OutcomeNothing Outcome = "nothing to do"
	OutcomeAgain   Outcome = "again"
)

// Done is the staged new content of a table: durable, and invisible until it is
// committed.
type Done struct {
	Strategy Strategy `cbor:"1,keyasint"`
	// Partitions are those that are added or replaced. With All set they are all there
	// is; otherwise those of Removed, by ordinal, go and all others stay. RemovedFiles are
	// the data files that go with that, see FilesRemoved.
	Partitions []Partition `cbor:"2,keyasint,omitempty"`
	Removed    []uint32    `cbor:"3,keyasint,omitempty"`
	All        bool        `cbor:"4,keyasint,omitempty"`
	// Generation is that of the partition ordinals, NextOrdinal the first free one.
	Generation  uint32 `cbor:"5,keyasint,omitempty"`
	NextOrdinal uint32 `cbor:"6,keyasint,omitempty"`
	// Objects are those that are new.
	Objects []*Object `cbor:"7,keyasint,omitempty"`
	// Index, Users, UserRuns and Quarantine are all that the table has then, new or not.
	Index      []Ref     `cbor:"8,keyasint,omitempty"`
	Users      Ref       `cbor:"9,keyasint,omitempty"`
	UserRuns   []Ref     `cbor:"10,keyasint,omitempty"`
	Quarantine []DumpRef `cbor:"11,keyasint,omitempty"`
	// Content is what was read of the greatest dump; nil if that is not known. Read is
	// what was read of the dumps that the next plan compares.
	Content *Content `cbor:"12,keyasint,omitempty"`
	Read    []Read   `cbor:"13,keyasint,omitempty"`
	// Spelled are columns that some file spells in another way, sorted; Spellings these
	// ways, by the column that they are of; Carried the keys and timestamps that no
	// manifest lists. Columns are named by the ID that the table gives their names.
	Spelled   []string   `cbor:"14,keyasint,omitempty"`
	Spellings []Spelling `cbor:"15,keyasint,omitempty"`
	Carried   []Carried  `cbor:"16,keyasint,omitempty"`
	// Unlisted counts the rows that have a field which no manifest lists, by its name.
	Unlisted map[string]int64 `cbor:"17,keyasint,omitempty"`
	Counts   plan.Counts      `cbor:"18,keyasint"`
	// RemovedFiles has each sink that loses files once, sorted by root.
	RemovedFiles []Removal `cbor:"19,keyasint,omitempty"`
	// DumpRows are how many rows each dump delivered that was read, sorted by dump.
	DumpRows []DumpRows `cbor:"20,keyasint,omitempty"`
}

// DumpRows is how many rows a dump delivered of a table.
type DumpRows struct {
	Dump int64 `cbor:"1,keyasint"`
	Rows int64 `cbor:"2,keyasint,omitempty"`
}

// Removal is the files that a table has in a sink before a task and not after it.
type Removal struct {
	Root  string   `cbor:"1,keyasint"`
	Paths []string `cbor:"2,keyasint"` // below the root, sorted
}

// Object is a new object. One that has neither Bytes nor a Location is durable where the
// objects of the table are kept.
type Object struct {
	Ref Ref `cbor:"1,keyasint"`
	// Bytes are its content, to be stored with the record that names it.
	Bytes []byte `cbor:"2,keyasint,omitempty"`
	// Location is a file of its content, in the task's place for objects. It stays there
	// until a commit adopted it.
	Location string `cbor:"3,keyasint,omitempty"`
}

// Spelling is another way in which a file spells the name of a column.
type Spelling struct {
	Column string `cbor:"1,keyasint"`
	Name   string `cbor:"2,keyasint"`
}

// Carried is a column that files bring and no manifest lists, and the greatest dump
// that has it.
type Carried struct {
	Column string `cbor:"1,keyasint"`
	Dump   int64  `cbor:"2,keyasint"`
}

// Again is what the task must be made again with.
type Again struct {
	// Columns are those that nothing told of when the task was made.
	Columns []LateColumn `cbor:"1,keyasint,omitempty"`
}

// LateColumn is a delivered name that feeds a column of the table, found in a file.
type LateColumn struct {
	Name   string `cbor:"1,keyasint"`
	Dump   int64  `cbor:"2,keyasint"`
	Listed bool   `cbor:"3,keyasint,omitempty"` // by the manifest
}

// Held says which part file holds the table, from its dump on.
type Held struct {
	Dump int64  `cbor:"1,keyasint"`
	File string `cbor:"2,keyasint,omitempty"`
	Pin  string `cbor:"3,keyasint,omitempty"` // of the file as the task has it
	// Reason is for people.
	Reason string `cbor:"4,keyasint"`
	// Lasting says that the content of the file is bad: reading it again is pointless until
	// it, or what Cause names, changes.
	Lasting bool  `cbor:"5,keyasint,omitempty"`
	Cause   Cause `cbor:"6,keyasint,omitempty"`
}

// Cause is what of the configuration takes part in why a file is bad. The zero Cause
// is nothing.
type Cause struct {
	Key    string `cbor:"1,keyasint,omitempty"` // that the file lacks
	Column string `cbor:"2,keyasint,omitempty"` // of which a value does not cast
	Rule   string `cbor:"3,keyasint,omitempty"` // by which it does not
	Limit  int    `cbor:"4,keyasint,omitempty"` // bytes that a block or text of it may have, and has more
}
