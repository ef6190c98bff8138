package local

import (
	"context"
	"errors"
	"io"
	"time"

	"reconcile/state"
	"reconcile/state/internal/statefile"
)

// defaultInlineLimit is the size in bytes up to which an object stays inside
// the state file.
const defaultInlineLimit = 32 << 10

const defaultReadTimeout = 10 * time.Second

// Options are the settings of a state in a file. The zero value of a field means its
// default.
type Options struct {
	// Program is the version that is written into the file.
	Program string
	// Format is what is written, and the newest that is read; the zero value stands for
	// that of the program.
	Format state.Format
	// InlineLimit is the size in bytes up to which an object stays inside the
	// state file: 32 KiB, or none at all when negative.
	InlineLimit int
	// ReadTimeout bounds the wait for the state file while others read it or
	// commit, which takes them milliseconds. The default is 10 seconds.
	ReadTimeout time.Duration
}

// backend is the state.Backend of a state in a file. It holds nothing open between two
// calls, and may be used by several goroutines.
type backend struct {
	at      paths
	file    *file
	folder  *folder
	objects *objects
}

// Open returns the state in the file at path. It does no I/O; a file that does not
// exist is an empty state, made by the first transaction.
func Open(path string, o Options) *state.Store {
	return &state.Store{Backend: open(path, o)}
}

func open(path string, o Options) *backend {
	if o.InlineLimit == 0 {
		o.InlineLimit = defaultInlineLimit
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = defaultReadTimeout
	}
	at := paths(path)
	f := &file{at: at, format: statefile.Format{Place: path, Program: o.Program, Writes: o.Format}, wait: o.ReadTimeout,
		readers: readers{path: at.readers(), wait: o.ReadTimeout}}
	d := &folder{at: at, file: f}
	return &backend{at: at, file: f, folder: d, objects: &objects{at: at, file: f, folder: d, inline: o.InlineLimit}}
}

// Place returns the path of the state file.
func (s *backend) Place() string { return s.at.file() }

// Try returns nil: each transaction says what is wrong.
func (s *backend) Try(context.Context) error { return nil }

// ExceedGeneration does nothing: the generation is that of the place before.
func (s *backend) ExceedGeneration(uint64) {}

// Serial returns the number of transactions so far, without verifying more than that
// number.
func (s *backend) Serial(ctx context.Context) (uint64, error) {
	meta, exists, err := s.file.meta(ctx)
	if err != nil || !exists {
		return 0, err
	}
	return meta.Serial, nil
}

// Load returns the whole state, verified: the content of the newest
// transaction, an error that matches ErrDamaged or ErrNewer, or that of the
// I/O. A file that does not exist gives an empty Snapshot. It waits for no
// apply, only for a transaction at its very commit.
//
// Until the Snapshot is closed its objects are not collected.
func (s *backend) Load(ctx context.Context) (*state.Snapshot, error) {
	return whileRead(ctx, s.file.readers, s.file.load)
}

// Copy copies the state file. It waits for no apply.
func (s *backend) Copy(ctx context.Context) (*state.Copy, error) {
	return whileRead(ctx, s.file.readers, s.file.copy)
}

// whileRead reads while it keeps the collector away, also from what it returns until that
// is closed.
func whileRead[T interface{ CloseWith(io.Closer) }](ctx context.Context, r readers, read func(context.Context) (T, error)) (T, error) {
	var none T
	held, err := r.hold(ctx)
	if err != nil {
		return none, err
	}
	out, err := read(ctx)
	if err != nil {
		if held != nil {
			err = errors.Join(err, held.Close())
		}
		return none, err
	}
	out.CloseWith(held)
	return out, nil
}

// CheckObjects fails when the folder of the objects is not that of the state that
// was loaded.
func (s *backend) CheckObjects(snap *state.Snapshot) error {
	_, err := s.folder.check(snap.Serial > 0, snap.Lineage)
	return err
}

// NewObject begins an object. Only the holder of the lock makes objects: a
// collection removes what is not finished.
func (s *backend) NewObject(ctx context.Context) *state.ObjectWriter { return s.objects.begin(ctx) }

// OpenObject opens the object that ref names. The size is checked, and of a
// small object the content too; that of a bulky one by Verify.
func (s *backend) OpenObject(ctx context.Context, ref state.Ref) (*state.Object, error) {
	return s.objects.open(ctx, ref)
}

// ObjectPin tells whether the file of a bulky object is the one that it was; empty if
// there is none.
func (s *backend) ObjectPin(ref state.Ref) string { return s.objects.pin(ref) }
