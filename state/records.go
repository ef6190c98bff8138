package state

import (
	"bytes"
	"cmp"
	"slices"
)

// The records of the state. They are stored as CBOR with the integer keys of
// their tags: a field may be added, never renumbered.

// Ref names an immutable object by the lower-case hex SHA-256 of its content.
// The zero Ref names nothing.
type Ref struct {
	Digest string `cbor:"1,keyasint,omitempty"`
	Size   int64  `cbor:"2,keyasint,omitempty"`
	Rows   int64  `cbor:"3,keyasint,omitempty"` // entries or rows, where that means something
	// Name is the object's in an object store; empty where its digest names it.
	Name string `cbor:"10,keyasint,omitempty"`
}

// ID returns what tells the object from all others of its state.
func (r Ref) ID() string {
	if r.Name != "" {
		return r.Name
	}
	return r.Digest
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r.Digest == "" }

// Dump is a dump that some table has applied.
type Dump struct {
	ID       int64  `cbor:"1,keyasint"`
	Manifest string `cbor:"2,keyasint"` // key of the manifest in the source
	Digest   string `cbor:"3,keyasint"` // of its meaning
	// Arrived is when the manifest changed last as the dump was applied first, in ms since
	// the epoch; 0 if that is not known.
	Arrived int64 `cbor:"60,keyasint,omitempty"`
	// Key 4 is of a removed field, and must not be used again.
}

// Column is one column of a table's schema, in the order of arrival.
type Column struct {
	Name      string `cbor:"1,keyasint"` // as published
	Delivered string `cbor:"2,keyasint"` // spelling at its creation
	Type      string `cbor:"3,keyasint"`
	Since     int64  `cbor:"4,keyasint,omitempty"` // dump that brought it
	Mask      string `cbor:"5,keyasint,omitempty"` // method
	Verifier  string `cbor:"6,keyasint,omitempty"` // of the mask's key
	Merge     string `cbor:"7,keyasint,omitempty"`
	// Listed says that some manifest lists it. A column that only the files of
	// manifests without a list brought goes when those dumps become void; Seen is
	// the greatest of them.
	Listed bool  `cbor:"8,keyasint,omitempty"`
	Seen   int64 `cbor:"9,keyasint,omitempty"`
	// Spellings are the other names under which it was delivered.
	Spellings []string `cbor:"15,keyasint,omitempty"`
	// TimeUnit is what plain numbers counted as its values were read, empty for what
	// their magnitude says, and Round how decimals were rounded, empty if they were not.
	TimeUnit string `cbor:"20,keyasint,omitempty"`
	Round    string `cbor:"21,keyasint,omitempty"`
}

// Applied is one dump of the set that a table is correct for.
type Applied struct {
	Dump        int64  `cbor:"1,keyasint"`
	Digest      string `cbor:"2,keyasint"` // meaning of the manifest's entries for the table
	Incremental bool   `cbor:"3,keyasint,omitempty"`
	Skipped     bool   `cbor:"4,keyasint,omitempty"` // a skip_dump block left it out
	// Lost says that the source no longer had it when the table was rebuilt: its
	// rows are gone, but what it made void stays void.
	Lost bool `cbor:"5,keyasint,omitempty"`
	// StoodIn says that the source no longer had it when the state was made anew, and
	// that published rows stand in for its rows. If the source has it again, it comes as
	// a late one.
	StoodIn bool `cbor:"10,keyasint,omitempty"`
}

// SinkTable is where a sink holds a table. Sinks are known by their root.
type SinkTable struct {
	Root        string `cbor:"1,keyasint"`
	Folder      string `cbor:"2,keyasint"`
	Compression string `cbor:"3,keyasint,omitempty"`
	// Fingerprint is what the sink said of the folders of the table's files, to list them
	// by. A commit of the table takes it away.
	Fingerprint string `cbor:"4,keyasint,omitempty"`
	// Encodings is which ones its files have, "plain" or "compact"; empty, as earlier
	// versions wrote it, is compact.
	Encodings string `cbor:"10,keyasint,omitempty"`
}

// Table is everything the state says of one table but its partitions.
type Table struct {
	Name           string      `cbor:"1,keyasint"` // as delivered
	Kind           string      `cbor:"2,keyasint"` // "events", "users" or "mapping"
	Key            string      `cbor:"3,keyasint,omitempty"`
	Commit         uint64      `cbor:"4,keyasint"` // serial of its last commit
	Applied        []Applied   `cbor:"5,keyasint,omitempty"`
	MappingDump    int64       `cbor:"6,keyasint,omitempty"`
	HasMapping     bool        `cbor:"7,keyasint,omitempty"`
	Mapping        Ref         `cbor:"8,keyasint,omitempty"`
	Columns        []Column    `cbor:"9,keyasint,omitempty"`
	PartitionBy    string      `cbor:"10,keyasint,omitempty"` // canonical text, as "day(time)"
	OnSchemaChange string      `cbor:"11,keyasint,omitempty"`
	Listed         []string    `cbor:"12,keyasint,omitempty"` // columns = [...] of freeze and ignore
	Sinks          []SinkTable `cbor:"13,keyasint,omitempty"`
	Generation     uint32      `cbor:"14,keyasint,omitempty"` // of the partition ordinals
	NextOrdinal    uint32      `cbor:"15,keyasint,omitempty"`
	Index          []Ref       `cbor:"16,keyasint,omitempty"`
	Users          Ref         `cbor:"17,keyasint,omitempty"` // latest row per raw user
	Quarantine     []DumpRef   `cbor:"18,keyasint,omitempty"`
	Rows           int64       `cbor:"19,keyasint,omitempty"`
	LastDelivery   int64       `cbor:"21,keyasint,omitempty"`
	OnCastError    string      `cbor:"22,keyasint,omitempty"`
	Spelling       []string    `cbor:"23,keyasint,omitempty"` // columns whose fields were spelled otherwise than the column
	UserRuns       []Ref       `cbor:"25,keyasint,omitempty"` // rows delivered since Users was written
	Content        *Content    `cbor:"26,keyasint,omitempty"` // of the greatest dump; nil if that is not known
	// Read is what was read of the dumps that the table applied last: the next plan
	// looks whether their files are the same still.
	Read []ReadDump `cbor:"30,keyasint,omitempty"`
	// Rules numbers the rules for names, ids and times that its oldest live rows
	// were written by; 0 are those of states without the number.
	Rules int `cbor:"53,keyasint,omitempty"`
	// Renamed are the labels of the column blocks with "as" that it was made with.
	Renamed []string `cbor:"35,keyasint,omitempty"`
	// ExactNames says that keys and timestamps were exact names when its columns were
	// named, not names in any case as in older programs. Names outlive rows: a resync
	// renews Rules alone, a rebuild both.
	ExactNames bool `cbor:"36,keyasint,omitempty"`
	// Committed is when its last commit was made, in ms since the epoch; 0 of an earlier
	// version. History and ColumnLog are read by Commits and ColumnChanges.
	Committed int64  `cbor:"60,keyasint,omitempty"`
	History   []byte `cbor:"61,keyasint,omitempty"`
	ColumnLog []byte `cbor:"62,keyasint,omitempty"`
	// Plan is the digest that the saved plan has of the table whose step the last commit
	// was, and PlanStep which step; empty where no saved plan was applied.
	Plan     string `cbor:"65,keyasint,omitempty"`
	PlanStep string `cbor:"66,keyasint,omitempty"`
	// DumpRows are how many rows the newest of its live dumps delivered, by dump. Of those
	// that an earlier version applied it is not known.
	DumpRows []DumpRows `cbor:"67,keyasint,omitempty"`
	// Checks are those that judged a step of the table, as they were then.
	Checks []JudgedCheck `cbor:"68,keyasint,omitempty"`
	// Uncounted are full resyncs of Applied that later ones made void before they counted.
	// Where these go, guards judge them as if they came then.
	Uncounted []int64 `cbor:"70,keyasint,omitempty"`
	// Tripped is how the full resyncs were judged that guards hold, by dump.
	Tripped []TrippedResync `cbor:"71,keyasint,omitempty"`
	// Keys 20 and 24 are of removed fields, and must not be used again.
}

// DumpRows is how many rows a dump delivered.
type DumpRows struct {
	Dump int64 `cbor:"1,keyasint"`
	Rows int64 `cbor:"2,keyasint,omitempty"`
}

// JudgedCheck is a check that judged a table, and the newest dump that it judged.
type JudgedCheck struct {
	Name string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint"` // what it asked for
	Dump int64  `cbor:"3,keyasint"`
}

// TrippedResync is how a full resync was judged, so that plans need not read its rows again.
type TrippedResync struct {
	Dump    int64  `cbor:"1,keyasint"`
	Inputs  string `cbor:"2,keyasint"` // digest of all that the verdict depends on
	Below   int64  `cbor:"3,keyasint,omitempty"`
	Missing int64  `cbor:"4,keyasint,omitempty"` // of the rows below it
	Brings  int64  `cbor:"5,keyasint,omitempty"`
}

// Has reports whether the table has a dump, also one that is lost or skipped.
func (t *Table) Has(dump int64) bool {
	_, ok := slices.BinarySearchFunc(t.Applied, dump, func(a Applied, id int64) int { return cmp.Compare(a.Dump, id) })
	return ok
}

// SinkAt returns the index in Sinks of the sink at a root, -1 if the table is not there.
func (t *Table) SinkAt(root string) int {
	return slices.IndexFunc(t.Sinks, func(s SinkTable) bool { return s.Root == root })
}

// KeptUsers returns the objects that hold the latest row of each raw user. Some
// of them can hold an older one, too.
func (t *Table) KeptUsers() []Ref {
	if t.Users.IsZero() {
		return nil
	}
	return append([]Ref{t.Users}, t.UserRuns...)
}

// Content tells whether another dump delivers of a table what one did, byte for
// byte.
type Content struct {
	Dump        int64  `cbor:"1,keyasint"`
	Fingerprint uint64 `cbor:"2,keyasint"` // hash of what is known without reading: columns and sizes of the files
	Digest      []byte `cbor:"3,keyasint"` // of the files, in their order
}

// ReadDump is what was read of a dump: its part files, in the order in which the
// manifest lists them for the table.
type ReadDump struct {
	Dump  int64      `cbor:"1,keyasint"`
	Files []ReadFile `cbor:"2,keyasint,omitempty"`
}

// ReadFile is a part file as it was when it was read.
type ReadFile struct {
	Size int64  `cbor:"1,keyasint"`
	Tag  string `cbor:"2,keyasint,omitempty"` // its ETag on S3
	Sum  []byte `cbor:"3,keyasint,omitempty"` // 128 bits of XXH3
}

// SameContent reports whether r and o are of the same bytes.
func (r *ReadDump) SameContent(o *ReadDump) bool {
	return slices.EqualFunc(r.Files, o.Files, func(a, b ReadFile) bool { return a.Size == b.Size && bytes.Equal(a.Sum, b.Sum) })
}

// DumpRef is an object that belongs to one dump of a table.
type DumpRef struct {
	Dump int64 `cbor:"1,keyasint"`
	Ref  Ref   `cbor:"2,keyasint"`
}

// Partition is the live content of one partition of a table. Value is the
// partition's time in units of the partitioning (years, months, days or hours
// since the epoch); Null marks the default partition.
type Partition struct {
	Ordinal uint32 `cbor:"1,keyasint"`
	Value   int64  `cbor:"2,keyasint,omitempty"`
	Null    bool   `cbor:"3,keyasint,omitempty"`
	Rows    int64  `cbor:"4,keyasint,omitempty"`
	Files   []File `cbor:"5,keyasint,omitempty"`
	Shadow  Ref    `cbor:"6,keyasint,omitempty"`
	// Newest is a dump such that no row is of a greater one; nil if none is known.
	Newest *int64 `cbor:"7,keyasint,omitempty"`
}

// File is one live data file of a partition, in one sink.
type File struct {
	Sink   int    `cbor:"1,keyasint,omitempty"` // index into Table.Sinks
	Path   string `cbor:"2,keyasint"`
	Size   int64  `cbor:"3,keyasint"`
	Rows   int64  `cbor:"4,keyasint"`
	Digest string `cbor:"5,keyasint"`
	Pin    string `cbor:"6,keyasint,omitempty"` // empty until the move is recorded
	// Appended says that its rows came to a partition that had files.
	Appended bool `cbor:"7,keyasint,omitempty"`
}

// Publish is the list of a commit that is under way: what still has to become
// visible in the sinks. It is removed by the transaction that ends the commit.
type Publish struct {
	Table   string `cbor:"1,keyasint"`
	Commit  uint64 `cbor:"2,keyasint"`
	Attempt string `cbor:"3,keyasint"` // name of the staging folder
	Steps   []Step `cbor:"4,keyasint,omitempty"`
	// Forget says that the table's record goes with the list's end.
	Forget bool `cbor:"5,keyasint,omitempty"`
}

// Step is one move (Staged set) or removal of a publish list, as package sinks
// defines it.
type Step struct {
	Sink      string `cbor:"1,keyasint"` // root
	Staged    string `cbor:"2,keyasint,omitempty"`
	Path      string `cbor:"3,keyasint"`
	Before    string `cbor:"4,keyasint,omitempty"`
	BeforePin string `cbor:"5,keyasint,omitempty"`
	After     string `cbor:"6,keyasint,omitempty"`
	Size      int64  `cbor:"7,keyasint,omitempty"`
}

// Mapping is the newest good user mapping that was read.
type Mapping struct {
	Dump   int64  `cbor:"1,keyasint"`
	Digest string `cbor:"2,keyasint"` // meaning of the manifest's entries for it
	Ref    Ref    `cbor:"3,keyasint"`
	// Quarantine holds the rows without both ids, Warnings the conflicts and
	// cycles that were found.
	Quarantine Ref      `cbor:"4,keyasint,omitempty"`
	Warnings   []string `cbor:"5,keyasint,omitempty"`
	// TimeUnit is what plain numbers counted as it was read, as of a Column.
	TimeUnit string `cbor:"20,keyasint,omitempty"`
	// Read are its part files as they were read, nil if that is not known.
	Read *ReadDump `cbor:"10,keyasint,omitempty"`
	// Rules numbers the rules that it was read by, as those of a table.
	Rules int `cbor:"53,keyasint,omitempty"`
}
