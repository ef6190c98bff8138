// Package statetest has what tests of states share: records, objects and whole states that
// they make, and what they want of them. It knows no backend.
package statetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconcile/state"
)

// Lock takes the lock, and gives it back when the test ends.
func Lock(t testing.TB, s *state.Store) *state.Lock {
	t.Helper()
	l, err := s.Lock(t.Context(), state.NewHolder("apply"), 0)
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

// Update commits what fn puts.
func Update(t testing.TB, l *state.Lock, fn func(*state.Tx) error) {
	t.Helper()
	if err := l.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// Load returns the content, without keeping a collection from anything.
func Load(t testing.TB, s *state.Store) *state.Snapshot {
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

// Diff compares snapshots but for what a model does not know; empty if they are the same.
func Diff(want, got *state.Snapshot) string {
	a, b := *want, *got
	a.CloseWith(nil)
	b.CloseWith(nil)
	if reflect.DeepEqual(a, b) { // much faster, and mostly enough
		return ""
	}
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(state.Snapshot{}), cmpopts.EquateEmpty())
}

// Table makes the record of a table of events.
func Table(name string, commit uint64) *state.Table {
	return &state.Table{
		Name: name, Kind: "events", Key: "event_id", Commit: commit,
		Columns: []state.Column{{Name: "user_id", Delivered: "user_id", Type: "int64", Since: 1}, {Name: "city", Delivered: "City", Type: "string", Mask: "null"}},
		Applied: []state.Applied{{Dump: 1, Digest: "aa"}, {Dump: 2, Digest: "bb", Incremental: true}},
		Index:   []state.Ref{{Digest: DigestOf(name), Size: 10, Rows: 2}},
	}
}

// Partition makes the record of a partition with one file.
func Partition(ordinal uint32, rows int64) *state.Partition {
	return &state.Partition{Ordinal: ordinal, Value: int64(ordinal) + 20_000, Rows: rows,
		Files: []state.File{{Path: fmt.Sprintf("year=2026/month=01/part-%d.parquet", ordinal), Size: 1000 * rows, Rows: rows, Digest: DigestOf(fmt.Sprint(ordinal)), Pin: "1234-5678"}}}
}

// Fill makes a small state of every kind of record.
func Fill(t testing.TB, s *state.Store, l *state.Lock) {
	t.Helper()
	Update(t, l, func(tx *state.Tx) error {
		o := s.NewObject(t.Context())
		if _, err := o.Write([]byte("a small object")); err != nil {
			return err
		}
		sealed, err := o.Close(t.Context())
		if err != nil {
			return err
		}
		errs := []error{
			tx.PutObject(sealed),
			tx.PutTable(Table("pageviews", tx.Serial())),
			tx.PutTable(Table("sessions", tx.Serial())),
			tx.PutDump(&state.Dump{ID: -5, Manifest: "manifests/sync_0.json", Digest: "x"}),
			tx.PutDump(&state.Dump{ID: 1234, Manifest: "manifests/sync_1234.json", Digest: "y"}),
			tx.SetMapping(&state.Mapping{Dump: 1234, Digest: "m", Ref: sealed.Ref}),
			tx.PutHold(state.Hold{Table: "users", Dump: 7, File: "a.avro", Reason: "is cut"}),
			tx.PutPublish(&state.Publish{Table: "sessions", Commit: 1, Attempt: "a1", Steps: []state.Step{{Sink: "/lake", Path: "p"}}}),
			tx.PutSetting("note", []byte{0, 1, 2}),
		}
		for i := range uint32(20) {
			errs = append(errs, tx.PutPartition("pageviews", Partition(i, 5)), tx.PutPartition("sessions", Partition(i, 6)))
		}
		return errors.Join(errs...)
	})
}

// MustDamaged wants an error that says that a state is damaged, and which one.
func MustDamaged(t *testing.T, s *state.Store, err error) {
	t.Helper()
	if !errors.Is(err, state.ErrDamaged) || !strings.Contains(err.Error(), s.Place()) {
		t.Fatalf("got %v, want an error that matches ErrDamaged and names %s", err, s.Place())
	}
}

// ReadFile reads a file.
func ReadFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// WriteFile writes a file.
func WriteFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Within returns a context that ends after a time.
func Within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// DigestOf returns the SHA-256 of a text in hex.
func DigestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
