package exec

import (
	"reconcile/engine/rules"
	"reconcile/sinks"
)

// FormatVersion is that of Task and Result. An executor refuses a task of another one.
const FormatVersion = 1

// Task is one step of one table: what it starts from, what it takes in, what the rows
// become, and where the result is to be staged. Nobody changes a task once it is made;
// any number of goroutines may read it.
type Task struct {
	Version int `cbor:"1,keyasint"` // FormatVersion
	// Attempt names the folders in which files are staged. Objects is the attempt's place
	// for new objects that neither come along with the result nor go where the state keeps
	// its own: a folder, which need not be there yet, or a place in a bucket. Both are left
	// out of the digest.
	Attempt string `cbor:"2,keyasint,omitempty"`
	Objects string `cbor:"29,keyasint,omitempty"`

	Table string `cbor:"3,keyasint"` // as delivered
	Kind  string `cbor:"4,keyasint"` // "events", "users" or "mapping", see package feed
	Key   string `cbor:"5,keyasint,omitempty"`
	Step  Step   `cbor:"6,keyasint"`
	Plan  string `cbor:"7,keyasint,omitempty"` // digest of the table in the plan
	Base  Base   `cbor:"8,keyasint"`
	// Schema is what the rows become, with the definition of the table. It has no keys of
	// masks, but the verifiers by which they are found.
	Schema *rules.Schema `cbor:"27,keyasint,omitempty"`

	// Applied are the dumps that the table is correct for before the step, and
	// Deliveries those that the step takes, each sorted by dump. Dumps are the ids of
	// both: the index of an id is its rank. Rows of dumps below Floor are void; it is
	// rules.AllLive if none are.
	Applied    []Applied   `cbor:"9,keyasint,omitempty"`
	Deliveries []Delivery  `cbor:"10,keyasint,omitempty"`
	Dumps      []int64     `cbor:"11,keyasint,omitempty"`
	Floor      rules.Floor `cbor:"12,keyasint"`

	// Stored is what the table has; nil for a new one.
	Stored *Stored `cbor:"13,keyasint,omitempty"`
	// Fresh says that no stored row is to be used.
	Fresh bool `cbor:"14,keyasint,omitempty"`
	// OldMapping is the user mapping at which the stored rows stand, NewMapping the one
	// at which the result is to stand. Nil is none: every user stands for itself.
	OldMapping *Mapping `cbor:"15,keyasint,omitempty"`
	NewMapping *Mapping `cbor:"16,keyasint,omitempty"`

	// FailCasts says that a value that does not cast holds the table, Frozen that a key
	// or timestamp outside of the columns of a frozen table does.
	FailCasts bool `cbor:"17,keyasint,omitempty"`
	Frozen    bool `cbor:"18,keyasint,omitempty"`

	// Redelivery is the delivery that the only one may repeat, byte for byte; nil if
	// there is none.
	Redelivery *Redelivery `cbor:"19,keyasint,omitempty"`
	// Compared are the dumps of which the record goes on knowing what was read.
	Compared []int64 `cbor:"20,keyasint,omitempty"`
	// StandIns are published rows that take the place of those of dumps that are gone;
	// nil if none do.
	StandIns *StandIns `cbor:"21,keyasint,omitempty"`

	Permitted  Strategies `cbor:"22,keyasint"`
	Thresholds Thresholds `cbor:"23,keyasint"`
	Formats    Formats    `cbor:"30,keyasint"`
	// Footer are the labels that data files get.
	Footer map[string]string `cbor:"24,keyasint,omitempty"`
	// Sinks are the places where files are staged, those of Stored first and in their
	// order: a file names its sink by the index here.
	Sinks []Target `cbor:"25,keyasint,omitempty"`
	// ETags says that the pins of part files are ETags, which tell their content.
	ETags bool `cbor:"26,keyasint,omitempty"`
	// Source is the location below which the keys of part files are: a folder, or one in
	// a bucket.
	Source string `cbor:"28,keyasint,omitempty"`
}

// Step says what a task carries out.
type Step string

// The steps of a table.
const (
	StepConfig Step = "configuration" // a change of the configuration, a repair, a rebuild
	StepDumps  Step = "dumps"         // pending dumps and a new mapping
)

// Base is what of the table a task was made from. A result counts only while the
// state still has it.
type Base struct {
	Commit     uint64 `cbor:"1,keyasint,omitempty"` // of the table; 0 for a new one
	Record     string `cbor:"2,keyasint,omitempty"` // digest of what the record says of the content
	Partitions string `cbor:"3,keyasint,omitempty"` // digest of the partitions
}

// Strategies are the ways that a step may be carried out.
type Strategies struct {
	// Metadata changes the record alone. No other strategy is permitted beside it.
	Metadata bool `cbor:"1,keyasint,omitempty"`
	// Bulk judges all rows, Delta those that what is new can touch. If both are
	// permitted, Delta is taken unless only reading tells that it does not fit.
	Bulk  bool `cbor:"2,keyasint,omitempty"`
	Delta bool `cbor:"3,keyasint,omitempty"`
	// Copy says that nothing but the sinks changes: their files may be copied, and those
	// of sinks that stay be left as they are. It is taken where it is permitted.
	Copy bool `cbor:"4,keyasint,omitempty"`
}

// Strategy is the way that was taken.
type Strategy string

// The strategies.
const (
	Metadata   Strategy = "metadata"
	Bulk       Strategy = "bulk"
	Delta      Strategy = "delta"
	Copied     Strategy = "copy"       // sinks get the files of others, or lose their own
	Redeliver  Strategy = "redelivery" // stored rows become those of the repeated dump
	WholeTable Strategy = "mapping"    // user_migrations, which is written as a whole
)

// Thresholds are the sizes that decide what files and objects look like.
type Thresholds struct {
	GroupRows int   `cbor:"1,keyasint,omitempty"` // rows of a row group in data files
	AppendAt  int64 `cbor:"2,keyasint,omitempty"` // bytes of a partition from which on rows come to it in a file of their own
	CutAt     int64 `cbor:"3,keyasint,omitempty"` // bytes of a data file from which on another one is begun
	HashBits  int   `cbor:"4,keyasint,omitempty"` // of the index
	IndexRuns int   `cbor:"5,keyasint,omitempty"` // runs of an index, or of the kept users, before they are merged
}

// Target is one place where files are staged, and the form that its sink described.
type Target struct {
	Root        string `cbor:"1,keyasint"`
	Folder      string `cbor:"2,keyasint"` // of the table, below the root
	Compression string `cbor:"3,keyasint,omitempty"`
	Encodings   string `cbor:"4,keyasint,omitempty"` // "plain" or "compact"
}

// Form is the form in which files are staged.
func (t Target) Form() sinks.Form {
	return sinks.Form{Folder: t.Folder, Compression: t.Compression, Encodings: t.Encodings}
}
