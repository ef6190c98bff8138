package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func newStore(t testing.TB) *Store {
	t.Helper()
	return Open(filepath.Join(t.TempDir(), ".reconcile", "state.db"), Options{Program: "0.1.0"})
}

func lock(t testing.TB, s *Store) *Lock {
	t.Helper()
	l, err := s.Lock(t.Context(), NewHolder("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Unlock(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func update(t testing.TB, l *Lock, fn func(*Tx) error) {
	t.Helper()
	if err := l.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, s *Store) *Snapshot {
	t.Helper()
	snap, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	return snap
}

// diff compares snapshots but for what a model does not know.
func diff(want, got *Snapshot) string {
	a, b := *want, *got
	a.readers, b.readers = nil, nil
	if reflect.DeepEqual(a, b) { // much faster, and mostly enough
		return ""
	}
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(Snapshot{}), cmpopts.EquateEmpty())
}

func table(name string, commit uint64) *Table {
	return &Table{
		Name: name, Kind: "events", Key: "event_id", Commit: commit,
		Columns: []Column{{Name: "user_id", Delivered: "user_id", Type: "int64", Since: 1}, {Name: "city", Delivered: "City", Type: "string", Mask: "null"}},
		Applied: []Applied{{Dump: 1, Digest: "aa"}, {Dump: 2, Digest: "bb", Incremental: true}},
		Index:   []Ref{{Digest: digestOf(name), Size: 10, Rows: 2}},
	}
}

func partition(ordinal uint32, rows int64) *Partition {
	return &Partition{Ordinal: ordinal, Value: int64(ordinal) + 20_000, Rows: rows,
		Files: []File{{Path: fmt.Sprintf("year=2026/month=01/part-%d.parquet", ordinal), Size: 1000 * rows, Rows: rows, Digest: digestOf(fmt.Sprint(ordinal)), Pin: "1234-5678"}}}
}

// fill makes a small state of every kind of record.
func fill(t testing.TB, l *Lock) {
	t.Helper()
	update(t, l, func(tx *Tx) error {
		o := storeOf(l).NewObject(t.Context())
		if _, err := o.Write([]byte("a small object")); err != nil {
			return err
		}
		sealed, err := o.Close(t.Context())
		if err != nil {
			return err
		}
		errs := []error{
			tx.PutObject(sealed),
			tx.PutTable(table("pageviews", tx.Serial())),
			tx.PutTable(table("sessions", tx.Serial())),
			tx.PutDump(&Dump{ID: -5, Manifest: "manifests/sync_0.json", Digest: "x", Tables: []string{"pageviews"}}),
			tx.PutDump(&Dump{ID: 1234, Manifest: "manifests/sync_1234.json", Digest: "y"}),
			tx.SetMapping(&Mapping{Dump: 1234, Digest: "m", Ref: sealed.Ref}),
			tx.PutHold(Hold{Table: "users", Dump: 7, File: "a.avro", Reason: "is cut"}),
			tx.PutPublish(&Publish{Table: "sessions", Commit: 1, Attempt: "a1", Steps: []Step{{Sink: "/lake", Path: "p"}}}),
			tx.PutSetting("note", []byte{0, 1, 2}),
		}
		for i := range uint32(20) {
			errs = append(errs, tx.PutPartition("pageviews", partition(i, 5)), tx.PutPartition("sessions", partition(i, 6)))
		}
		return errors.Join(errs...)
	})
}

func mustDamaged(t *testing.T, s *Store, err error) {
	t.Helper()
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), s.Place()) {
		t.Fatalf("got %v, want an error that matches ErrDamaged and names %s", err, s.Place())
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// file returns the backend of a state in a file.
func (s *Store) file() *local { return s.Backend.(*local) }

// storeOf returns the state in a file that a lock is of.
func storeOf(l *Lock) *Store { return &Store{l.Session.(*localLock).store} }
