// Package sinks says what a sink is: a place that holds the curated files of
// tables and can replace them safely.
//
// A sink promises that what is staged is invisible to readers of the table
// until it is moved, that a file is wholly old or wholly new at any instant,
// and that every step of a publish list can be repeated. It never decides what
// rows are right, and never deletes anything that a publish list or RemoveStaged
// did not name.
package sinks

import (
	"context"
	"errors"
	"slices"

	"reconcile/internal/blob"
	"reconcile/internal/column"
)

// Object is a file of a sink as a listing shows it. Path is slash-separated and
// relative to the sink's root. Pin changes whenever the content may have
// changed (on folders: size, modification time and inode; on S3: the ETag).
type Object struct {
	Path string
	Size int64
	Pin  string
}

// File is a file that was written. Digest is that of its bytes, see NewDigest. Groups are
// the offsets of its row groups, none where the form of the sink has no such thing.
type File struct {
	Path   string
	Size   int64
	Rows   int64
	Digest string
	Groups []int64
}

// Step is one entry of a publish list. With Staged set, the staged file moves
// over Path; without, Path is removed. Before is the digest of what Path held
// when the step was planned, empty when there was nothing; After is that of
// the staged file, empty for a removal.
type Step struct {
	Staged string
	Path   string
	Before string
	// BeforePin is the pin of what Path held; while it still matches, Before
	// need not be computed again.
	BeforePin string
	After     string
	Size      int64
}

// ErrCurrentDamaged reports a current.json that says nothing.
var ErrCurrentDamaged = errors.New("damaged")

// ErrCurrentChanged reports a current.json that is not the version that was to be
// replaced: it has to be read and judged again.
var ErrCurrentChanged = errors.New("it was written by somebody else meanwhile")

// AnyVersion stands for whatever version of current.json there is, or for none. It is
// for places that keep no conditions on writes, where nobody else writes.
const AnyVersion = "*"

// FileSpec says what a new data file is.
type FileSpec struct {
	Columns  []column.Column   // names and types, without rows
	Metadata map[string]string // of the footer
	Parallel int               // columns that may be encoded at a time; 0 is 1
	// RowGroupBytes is how many bytes rows that come in small batches may take while they
	// wait for a row group; 0 is no bound.
	RowGroupBytes int
	// Form is one that Describe gave. The zero Form is zstd in compact encodings. Rows that
	// are taken over from a file of another form are encoded again where need be.
	Form Form
}

// Writer writes one data file. Write takes rows in their final order and
// copies what it keeps; the batch has the columns of the FileSpec in that
// order. Size is about how many bytes the file has so far. Close makes the file
// durable. Abort removes what was written; it may follow a failed Close.
type Writer interface {
	Write(ctx context.Context, b *column.Batch) error
	Size() int64
	Close() (File, error)
	Abort()
}

// Reader reads one data file as batches in file order, one a row group. Next
// returns nil at the end; the batch is the caller's to keep. Only the named
// columns are read; a column that the file lacks is null in the type that was
// asked for.
type Reader interface {
	Next(ctx context.Context) (*column.Batch, error)
	Close() error
}

// GroupReader is what a Reader can do beyond its interface: give row groups in
// any order. One goroutine uses it at a time.
type GroupReader interface {
	Reader
	// Groups returns the number of rows of each row group.
	Groups() []int
	// Group reads columns of one row group into a batch, by the rules of Open and
	// Next. What the batch held is lost, its memory is used again.
	Group(ctx context.Context, group int, columns []column.Column, into *column.Batch) error
}

// RowReader is what a GroupReader can do beyond its interface: read some rows of a row
// group, which are ascending, each once.
type RowReader interface {
	// GroupBytes returns about how many bytes columns of a row group take in memory.
	GroupBytes(group int, columns []column.Column) int64
	Rows(ctx context.Context, group int, rows []uint32, columns []column.Column, into *column.Batch) error
}

// Labeled is what a Reader can do beyond its interface: tell the Metadata of the
// FileSpec that the file was written by. It is not to be changed.
type Labeled interface {
	Labels() map[string]string
}

// ColumnLister is what a Reader can do beyond its interface: tell which columns the file
// has, by name and type, in their order.
type ColumnLister interface {
	Columns() []column.Column
}

// Copier is what a Writer can do beyond its interface: take rows over from another
// file without decoding them, and row groups column by column.
type Copier interface {
	// Copy adds the rows of a row group of a file that the same kind of sink
	// opened, with the columns of replace, by name, in the place of its own. A
	// column that the file lacks is null.
	Copy(ctx context.Context, from GroupReader, group int, replace map[string]*column.Column) error
	// WriteColumns adds a row group of n rows of which one column is at hand at a
	// time: next gives the i-th, and may overwrite it when the one behind it is asked
	// for.
	WriteColumns(ctx context.Context, n int, next func(i int) (*column.Column, error)) error
}

// Fingerprinter is what a Sink can do beyond its interface: list the folder of a table
// without looking into folders in which no name came or went.
type Fingerprinter interface {
	// Fingerprint returns what ListSince takes for a folder that should hold the paths
	// and nothing else; empty if that would not help.
	Fingerprint(ctx context.Context, folder string, paths []string) (string, error)
	// ListSince is List, given a fingerprint and, with their pins, the files that it was
	// made with. whole says that a new fingerprint would not be better. If in that case all
	// have their pins, there is no list.
	ListSince(ctx context.Context, folder, fingerprint string, files []Pinned) (list []Object, whole bool, err error)
}

// Mover is what a Sink can do beyond its interface: tell, before anything is
// committed, that what is staged cannot be published to some folders.
type Mover interface {
	// CanPublish fails, naming the folder, if a file cannot be moved to one of them.
	CanPublish(ctx context.Context, folders []string) error
}

// Pinned is a file as it was known once; Key is its path.
type Pinned = blob.Pinned

// Current is the content of _reconcile/current.json: what a consumer that
// needs more than file consistency waits for.
type Current struct {
	Version int    `json:"version"`
	Lineage string `json:"lineage"`
	// State is where the state is that writes the sink: a path or a URL.
	State string `json:"state,omitempty"`
	// Writes grows with each write of the file. So no two versions are of the same
	// bytes, and what tells them apart, a digest of the bytes on S3, tells all.
	Writes uint64                  `json:"writes,omitempty"`
	Tables map[string]CurrentTable `json:"tables"`
}

// CurrentTable is one table in Current.
type CurrentTable struct {
	Commit   uint64 `json:"commit"`
	Complete bool   `json:"complete"`
	// Committed is when the commit was made, by RFC 3339 in UTC; empty in files of earlier
	// versions.
	Committed string `json:"committed_at,omitempty"`

	Dumps   []int64 `json:"dumps"`
	Mapping *int64  `json:"mapping"`
	// Resync is the newest full resync of the table: rows of smaller dumps are void.
	Resync *int64 `json:"resync,omitempty"`
	Folder string `json:"folder"`
}

// Sink is one place for curated files. Paths are relative to its root. All
// methods can be used by several goroutines at once. A failure of the place itself is
// an UnavailableError, whatever method meets it.
type Sink interface {
	// Root identifies the place, as messages and the state name it.
	Root() string
	// Describe returns the form in which files of a table are staged. Files that the table
	// has in another one have to be rewritten. It fails if there is no such form.
	Describe(ctx context.Context, t TableSpec) (Form, error)
	// Stage starts a data file in the attempt's staging folder. name is unique
	// within the attempt. The returned File's Path is the staged path.
	Stage(ctx context.Context, attempt, name string, spec FileSpec) (Writer, error)
	// Open reads a data file, which must have the given pin (ErrDrift if not).
	Open(ctx context.Context, path, pin string, columns []column.Column) (Reader, error)
	// List returns all objects below the folder of a table, sorted by path.
	// A folder that does not exist has none.
	List(ctx context.Context, folder string) ([]Object, error)
	// Exists reports whether a file is there, a staged one too.
	Exists(ctx context.Context, path string) (bool, error)
	// Digest returns the digest of a file's bytes, of the kind of one that is known; of
	// NewDigest where like is empty.
	Digest(ctx context.Context, path, like string) (string, error)
	// Publish carries out one step and returns the object now at Path (zero
	// after a removal). A step that was done before is done. It fails with
	// ErrStagedLost or ErrDrift, naming the file, and then has changed nothing.
	Publish(ctx context.Context, s Step) (Object, error)
	// Published returns the object at Path if the step was carried out, and the zero
	// Object if not, or after a removal. It changes nothing.
	Published(ctx context.Context, s Step) (Object, error)
	// Current returns current.json and which version of it that is; nil and no version
	// when there is none. One that is damaged (ErrCurrentDamaged) has a version, too.
	Current(ctx context.Context) (c *Current, version string, err error)
	// SetCurrent replaces a version of current.json durably and at once, or makes the
	// first where version is empty, and returns which version that makes. The number of
	// Writes in it is the next one to that of c.
	// It fails with ErrCurrentChanged if another version is there by now, and with
	// blob.ErrUnsupported where the place keeps no condition on that.
	SetCurrent(ctx context.Context, c *Current, version string) (now string, err error)
	// RemoveStaged removes what attempts staged, and gives up their unfinished moves. When it
	// returns nil, none of the files that it was to remove can come to its place any
	// more, but by a request that the store had begun to carry out.
	RemoveStaged(ctx context.Context, o StagedRemoval) error
}

// StagedRemoval says what RemoveStaged removes.
type StagedRemoval struct {
	// Generation is that of the lease under which they are removed. Attempts of a greater one
	// stay: who removes has lost the lease to theirs.
	Generation uint64
	Keep       []string // other attempts that stay
	// Folders are those of the tables whose unfinished moves are given up.
	Folders []string
}

// Protects reports whether what an attempt staged stays.
func (o StagedRemoval) Protects(attempt string) bool {
	return AttemptGeneration(attempt) > o.Generation || slices.Contains(o.Keep, attempt)
}
