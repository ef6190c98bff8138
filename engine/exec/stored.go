package exec

import "reconcile/engine/rules"

// Ref names an immutable object by the lower-case hex SHA-256 of its content. The zero
// Ref names nothing.
type Ref struct {
	Digest string `cbor:"1,keyasint,omitempty"`
	Size   int64  `cbor:"2,keyasint,omitempty"`
	Rows   int64  `cbor:"3,keyasint,omitempty"` // entries or rows, where that means something
	// Name is the object's in an object store; empty where its digest names it.
	Name string `cbor:"4,keyasint,omitempty"`
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r.Digest == "" }

// DumpRef is an object that belongs to one dump of a table.
type DumpRef struct {
	Dump int64 `cbor:"1,keyasint"`
	Ref  Ref   `cbor:"2,keyasint"`
}

// Stored is what a table has before a step.
type Stored struct {
	Key        string         `cbor:"1,keyasint,omitempty"` // name of the key column in its files
	Columns    []rules.Column `cbor:"2,keyasint,omitempty"` // of its files, and those that a mask leaves out
	ExactNames bool           `cbor:"3,keyasint,omitempty"` // see state.Table
	Rows       int64          `cbor:"4,keyasint,omitempty"` // published
	// Sinks are the roots of the sinks that hold it. ReadFrom is the index of the one
	// whose files are read.
	Sinks      []string    `cbor:"5,keyasint,omitempty"`
	ReadFrom   int         `cbor:"6,keyasint,omitempty"`
	Partitions []Partition `cbor:"7,keyasint,omitempty"`
	// Generation is that of the partition ordinals, NextOrdinal the first free one.
	Generation  uint32 `cbor:"8,keyasint,omitempty"`
	NextOrdinal uint32 `cbor:"9,keyasint,omitempty"`
	Index       []Ref  `cbor:"10,keyasint,omitempty"` // runs
	// Users holds the latest row of each raw user, UserRuns the rows delivered since.
	Users      Ref       `cbor:"11,keyasint,omitempty"`
	UserRuns   []Ref     `cbor:"12,keyasint,omitempty"`
	Quarantine []DumpRef `cbor:"13,keyasint,omitempty"`
	Content    *Content  `cbor:"14,keyasint,omitempty"` // of the greatest dump; nil if that is not known
	Read       []Read    `cbor:"15,keyasint,omitempty"` // of the dumps that were taken last
	Spelled    []string  `cbor:"16,keyasint,omitempty"` // columns whose fields were spelled otherwise
	Rules      int       `cbor:"17,keyasint,omitempty"` // number of the content rules that its oldest rows were written by
}

// KeptAgain reports whether the latest rows of so many users are all to be written again, as
// so many rows were added to them since they were.
func KeptAgain(users, added int64) bool { return added > users/4 }

// KeptUsers returns the objects that hold the latest row of each raw user. Some of
// them can hold an older one, too. The list is the caller's.
func (s *Stored) KeptUsers() []Ref {
	if s.Users.IsZero() {
		return nil
	}
	return append([]Ref{s.Users}, s.UserRuns...)
}

// Partition is the content of one partition of a table. Value is its time in units of
// the partitioning since the epoch, Null marks the default partition.
type Partition struct {
	Ordinal uint32 `cbor:"1,keyasint"`
	Value   int64  `cbor:"2,keyasint,omitempty"`
	Null    bool   `cbor:"3,keyasint,omitempty"`
	Rows    int64  `cbor:"4,keyasint,omitempty"` // published
	Files   []File `cbor:"5,keyasint,omitempty"`
	// Shadow holds rows that are hidden because two raw users stand for one person.
	Shadow Ref `cbor:"6,keyasint,omitempty"`
	// Newest is a dump such that no row is of a greater one; nil if none is known.
	Newest *int64 `cbor:"7,keyasint,omitempty"`
}

// File is a data file of a partition in one sink.
type File struct {
	Sink   int    `cbor:"1,keyasint,omitempty"` // index into the sinks of the table
	Path   string `cbor:"2,keyasint"`           // below the sink's root
	Size   int64  `cbor:"3,keyasint,omitempty"`
	Rows   int64  `cbor:"4,keyasint,omitempty"`
	Digest string `cbor:"5,keyasint,omitempty"` // see sinks.NewDigest
	Pin    string `cbor:"6,keyasint,omitempty"`
	// Appended says that its rows came to a partition that had files.
	Appended bool `cbor:"7,keyasint,omitempty"`
	// Staged is where a new file lies until it is published; empty for one that stays.
	Staged string `cbor:"8,keyasint,omitempty"`
	// Groups are the offsets of the row groups of a new file, none where its sink has no
	// such thing. Columns are figures of its columns, which are left out until a sink asks
	// for them. Neither is known of a file that stays.
	Groups  []int64        `cbor:"9,keyasint,omitempty"`
	Columns []ColumnFigure `cbor:"10,keyasint,omitempty"`
}

// ColumnFigure says what a data file holds of one column. Min and Max are bounds in
// the plain encoding of the column's type; both are empty where none are known.
type ColumnFigure struct {
	Name   string `cbor:"1,keyasint"`
	Bytes  int64  `cbor:"2,keyasint,omitempty"`
	Values int64  `cbor:"3,keyasint,omitempty"`
	Nulls  int64  `cbor:"4,keyasint,omitempty"`
	Min    []byte `cbor:"5,keyasint,omitempty"`
	Max    []byte `cbor:"6,keyasint,omitempty"`
}

// Mapping is a user mapping that is stored as an object.
type Mapping struct {
	Dump       int64 `cbor:"1,keyasint"`
	Ref        Ref   `cbor:"2,keyasint,omitempty"` // the zero Ref is the empty mapping
	Quarantine Ref   `cbor:"3,keyasint,omitempty"` // its rows without both ids
	Rules      int   `cbor:"4,keyasint,omitempty"` // number of the content rules that it was read by
}

// StandIns are published rows of a table that stand in for those of dumps that are
// gone from the source.
type StandIns struct {
	Root  string       `cbor:"1,keyasint"` // of the sink
	Files []File       `cbor:"2,keyasint,omitempty"`
	Types []ColumnType `cbor:"3,keyasint,omitempty"` // columns that the files have
	Dumps []int64      `cbor:"4,keyasint,omitempty"` // that are gone, sorted
}

// ColumnType is a column of a file, and its type as column.Type writes it.
type ColumnType struct {
	Name string `cbor:"1,keyasint"`
	Type string `cbor:"2,keyasint"`
}
