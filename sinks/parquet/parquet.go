// Package parquet is the sink that holds tables as Parquet files with stable
// names, in Hive folders, on any blob.Store.
//
// It promises what package sinks does: what is staged under _reconcile/ cannot
// be taken for data by a reader's glob, a data file is replaced by one rename,
// every step of a publish list can be repeated, and content that the state does
// not know is never overwritten or removed. It never deletes anything that a
// step or a removal of staged files did not name, and leaves no empty folder.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	pq "reconcile/internal/parquet"
	"reconcile/sinks"
)

// Where the sink keeps what is not data, relative to its root.
const (
	private = "_reconcile"
	staging = private + "/staging"
	current = private + "/current.json"
)

// Options says how files are written. The zero Options is good.
type Options struct {
	CreatedBy string // name and version of the program, for the footer
	// RowGroup is the number of rows of a row group, 0 means 128 Ki. A group is
	// ended earlier when its rows take what the FileSpec allows.
	RowGroup int
	// Batch is about how many bytes a batch of rows may take that is read; 0 for whole row
	// groups, whatever they take.
	Batch int64
	Retry blob.Retry // of reads
	// Advice ends the message when the place is unavailable; empty for none.
	Advice string
}

// sink implements sinks.Sink.
type sink struct {
	store blob.Store
	o     Options
	pool  pq.Pool
	// buffers are those of writers that were closed.
	buffers sync.Pool
	// own serialises what writes directly below _reconcile/: a removal of staged files there must
	// not meet a write under way.
	own sync.Mutex
	// form is of the current.json that is written; it needs own.
	form currentForm
}

// New returns the Parquet sink in a store. It reads and writes nothing yet.
// Reads are retried with back-off.
func New(store blob.Store, o Options) sinks.Sink {
	if o.RowGroup <= 0 {
		o.RowGroup = 128 << 10
	}
	return &sink{store: blob.WithRetries(store, o.Retry), o: o}
}

// Root identifies the place as its store does.
func (s *sink) Root() string { return s.store.Root() }

// List returns all files below the folder of a table, foreign ones too.
func (s *sink) List(ctx context.Context, folder string) ([]sinks.Object, error) {
	list, _, err := s.ListSince(ctx, folder, "", nil)
	return list, err
}

// Fingerprint makes a fingerprint of the folder of a table, as its store does.
func (s *sink) Fingerprint(ctx context.Context, folder string, paths []string) (string, error) {
	fingerprint, err := blob.Fingerprint(ctx, s.store, folder, paths)
	return fingerprint, s.class(err)
}

// ListSince is List with a fingerprint.
func (s *sink) ListSince(ctx context.Context, folder, fingerprint string, files []sinks.Pinned) ([]sinks.Object, bool, error) {
	if blob.Under(folder, private) && folder != "" {
		return nil, false, fmt.Errorf("list %s: %s is not a table", folder, private)
	}
	list, whole, err := blob.ListSince(ctx, s.store, folder, fingerprint, files)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil || whole && list == nil {
		return nil, whole, s.class(err)
	}
	objs := make([]sinks.Object, 0, len(list))
	for _, o := range list {
		if !blob.Under(o.Key, private) {
			objs = append(objs, objectOf(o))
		}
	}
	return objs, whole, nil
}

// CanPublish fails if a file cannot be moved from where they are staged.
func (s *sink) CanPublish(ctx context.Context, folders []string) error {
	return s.class(blob.CanMove(ctx, s.store, staging, folders))
}

func objectOf(o blob.Object) sinks.Object {
	return sinks.Object{Path: o.Key, Size: o.Size, Pin: o.Pin}
}

// RemoveStaged removes what attempts staged but those that it protects, unfinished moves to the
// folders of tables, and what killed writers left below _reconcile/.
func (s *sink) RemoveStaged(ctx context.Context, o sinks.StagedRemoval) error {
	for _, a := range o.Keep {
		if err := checkName(a); err != nil {
			return fmt.Errorf("attempt: %w", err)
		}
	}
	protected := func(key string) bool {
		attempt, below := strings.CutPrefix(key, staging+"/")
		attempt, _, _ = strings.Cut(attempt, "/")
		return below && o.Protects(attempt)
	}
	s.own.Lock()
	defer s.own.Unlock()
	if err := failpoint.Hit(ctx, failpoint.SweepBefore); err != nil {
		return err
	}
	err := blob.DeleteAll(ctx, s.store, staging, protected)
	if err == nil {
		err = s.store.RemoveLeftovers(ctx, blob.Leftovers{Prefix: private, Protect: protected, Moved: o.Folders})
	}
	if err != nil {
		return fmt.Errorf("remove staged leftovers: %w", s.class(err))
	}
	return failpoint.Hit(ctx, failpoint.SweepAfter)
}

// attemptFolder returns the staging folder of an attempt.
func attemptFolder(attempt string) (string, error) {
	if err := checkName(attempt); err != nil {
		return "", fmt.Errorf("attempt: %w", err)
	}
	return blob.Join(staging, attempt), nil
}

// checkName reports whether name is one name of a key.
func checkName(name string) error {
	if strings.Contains(name, "/") {
		return &blob.KeyError{Key: name, Reason: "it is more than one name"}
	}
	return blob.CheckKey(name)
}
