// Package blob is a narrow store of named objects: local folders here, S3 in
// package s3blob, and anything with keys, ranged reads and conditional writes.
//
// It promises that an object is wholly old or wholly new at any instant, that
// what was acknowledged is durable (the object, its name and the folders above
// it), that a condition on a write is kept or the write refused, and that no
// key and no symbolic link leads out of a store's root. It never repeats a
// write unless it can tell what became of the first one, never deletes what it
// was not told to, and never knows what an object means.
package blob

import (
	"context"
	"errors"
	"io"
	"time"

	"reconcile/internal/errclass"
)

// Object is what a store knows of an object without reading it. Key is
// slash-separated and relative to the store's root. Pin changes whenever the
// content may have changed: on folders it is size, modification time in ns and
// inode; on S3 the ETag. Pins are compared for equality and nothing else.
// Writing the very same content again may leave an object's pin as it was.
// ModTime is zero in what Commit and Move return where a store does not say it
// without being asked again; Stat and List always give it.
// Now is the store's own clock when it gave the answer from which ModTime is, so
// that the two can be compared; on S3 both have whole seconds. Stat and Open give
// it, where a store says it; else it is zero.
type Object struct {
	Key     string
	Size    int64
	Pin     string
	ModTime time.Time
	Now     time.Time
}

// Handle reads one object. ReadAt may be called by several goroutines at once.
type Handle interface {
	io.ReaderAt
	io.Closer
	// ReadAhead says that the object is now read to its end, in order. Of a remote one up to
	// so many pieces are then fetched before they are asked for.
	ReadAhead(pieces int)
	// Object describes what the handle reads, as of when it was opened.
	Object() Object
}

// Writer writes one object, which does not exist before Commit.
type Writer interface {
	io.Writer
	// Commit makes the object durable and visible, in this order, if the
	// condition given to Create holds (ErrConflict if not). After an error the
	// old object stands.
	Commit() (Object, error)
	// Abort removes what was written. After Commit it does nothing, so that it
	// can be deferred.
	Abort()
}

// Store is one place for objects. Keys are those that CheckKey takes; a prefix
// is such a key, naming a folder, or empty for the whole store. A key that does
// not exist gives an error that matches fs.ErrNotExist. All methods can be used
// by several goroutines at once.
type Store interface {
	// Root identifies the place, as messages name it.
	Root() string
	// List returns all objects below a prefix, at any depth, sorted by key. It
	// fails with fs.ErrNotExist when there is no such folder; a store without
	// folders says so when nothing lies below the prefix. Unfinished writes are
	// not listed.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Stat returns what is known of one object.
	Stat(ctx context.Context, key string) (Object, error)
	// Open opens an object for reading. The context covers the reads too.
	Open(ctx context.Context, key string) (Handle, error)
	// Create starts writing an object; cond is judged at Commit. The context
	// covers the writes too.
	Create(ctx context.Context, key string, cond Cond) (Writer, error)
	// Move makes the object at from the object at to, durably and at once for
	// readers of to, if cond holds for to (ErrConflict if not). A store that
	// copies may find that an earlier attempt got as far as the copy: that is
	// success, not a conflict.
	Move(ctx context.Context, from, to string, cond Cond) (Object, error)
	// Delete removes an object durably if cond holds for it (ErrConflict if
	// not).
	Delete(ctx context.Context, key string, cond Cond) error
	// RemoveEmptyFolders removes the folder and those above it, from the inside out, while
	// they are empty and below stop. A folder that does not exist counts as
	// removed. Where there are no folders it does nothing.
	RemoveEmptyFolders(ctx context.Context, folder, stop string) error
	// RemoveLeftovers removes what killed writers left below a prefix, and empty folders. No
	// writer may be at work there, but where it is protected.
	RemoveLeftovers(ctx context.Context, o Leftovers) error
}

// Leftovers says what RemoveLeftovers removes.
type Leftovers struct {
	Prefix string
	// Protect reports whether what lies at a key, or below a folder, stays; nil protects
	// nothing.
	Protect func(key string) bool
	// Moved are prefixes that objects are moved to. Where a move is a copy that takes
	// several requests, those that did not end are given up: if one is under way, it
	// starts over.
	Moved []string
}

// Protects reports whether what lies at a key stays.
func (o Leftovers) Protects(key string) bool { return o.Protect != nil && o.Protect(key) }

// ErrConflict reports an object that is not as a condition demands.
var ErrConflict = errors.New("the object is not as expected")

// ErrOutside reports a symbolic link that leads out of a local store.
// It is never followed.
var ErrOutside = errclass.New(errclass.FolderUnusable, "a symbolic link that leads out of the folder and is not followed: put what it names there itself")

// ErrUnsupported reports something that a store cannot do, or not safely: above
// all a conditional write where the server ignores the condition.
var ErrUnsupported = errors.New("the store cannot do that")

// ErrRefused reports an object that a store has, or may have, and does not give
// out: it is archived, its key is refused, or reading it is. That says nothing of
// other objects.
var ErrRefused = errors.New("the object is refused")

// Cond is what must hold for an object when it is replaced or removed. The
// zero Cond always holds.
type Cond struct {
	absent bool
	pin    string
}

// Absent is the condition that there is no object.
func Absent() Cond { return Cond{absent: true} }

// Match is the condition that there is an object with this pin.
func Match(pin string) Cond { return Cond{pin: pin} }

// IsAbsent reports whether c is the condition that there is no object.
func (c Cond) IsAbsent() bool { return c.absent }

// Pin returns the pin that c demands, empty if none.
func (c Cond) Pin() string { return c.pin }
