package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/enginetest"
	"reconcile/engine/model"
	"reconcile/internal/blob"
)

// failing is a source of which one object fails in one way: "stat", "open" or
// "read".
type failing struct {
	blob.Store
	key, way string
	err      error
}

func (f *failing) Stat(ctx context.Context, key string) (blob.Object, error) {
	if key == f.key && f.way == "stat" {
		return blob.Object{}, f.err
	}
	return f.Store.Stat(ctx, key)
}

func (f *failing) Open(ctx context.Context, key string) (blob.Handle, error) {
	if key == f.key && f.way == "open" {
		return nil, f.err
	}
	h, err := f.Store.Open(ctx, key)
	if err != nil || key != f.key || f.way != "read" {
		return h, err
	}
	return &failingHandle{h, f.err}, nil
}

type failingHandle struct {
	blob.Handle
	err error
}

func (h *failingHandle) ReadAt([]byte, int64) (int, error) { return 0, h.err }

// applyUnreadable applies while an object of the source fails.
func (a *bed) applyUnreadable(key, way string, err error) (*Result, error) {
	a.t.Helper()
	e := a.engine()
	store, lerr := blob.NewLocal(filepath.Join(a.dir, "dumps"))
	if lerr != nil {
		a.t.Fatal(lerr)
	}
	e.source = dump.Open(&failing{store, key, way, err}, dump.Options{Retry: blob.Retry{Wait: time.Microsecond}})
	return enginetest.Apply(a.t.Context(), e)
}

// TestContractUnavailableSource: a source that cannot be read says nothing of what
// it holds. It stops the run and leaves no hold behind; only what is wrong with
// a file itself holds its table.
func TestContractUnavailableSource(t *testing.T) {
	part := "sync_1/x/part-00000.avro"
	for _, table := range []string{"e", "users", "user_migrations"} {
		for _, way := range []string{"stat", "open", "read"} {
			for err, stops := range map[error]bool{syscall.EIO: true, fs.ErrPermission: false, context.DeadlineExceeded: true,
				fs.ErrNotExist: false, errors.New("not a regular file"): false} {
				if way == "stat" && table == "user_migrations" {
					continue // nobody asks
				}
				name := strings.Join([]string{table, way, err.Error()}, " ")
				a := newBed(t, lakeTables)
				fields := map[string]string{"e": "event_id user_id", "users": "user_id", "user_migrations": "from_user_id to_user_id"}[table]
				a.arrive(dumpOf(1, more(table, avroPart(fields, []any{int64(1), int64(2)}[:len(strings.Fields(fields))]))))
				res, got := a.applyUnreadable(part, way, err)
				if stops {
					if !errors.Is(got, err) {
						t.Errorf("%s: %v, %+v", name, got, res)
					}
				} else if got != nil || len(res.Holds) != 1 || res.Holds[0].File != part {
					t.Errorf("%s: %v, %+v", name, got, res)
				}
				healed := a.run()
				if len(healed.Holds) > 0 || !slices.ContainsFunc(healed.Tables, func(r TableResult) bool { return r.Name == table && r.Counts.Rows == 1 }) {
					t.Errorf("%s: then %+v", name, healed)
				}
			}
		}
	}
}

// TestContractLinks: a link that leads out of the sink or the source holds its
// table and no other, and the message says what it is.
func TestContractLinks(t *testing.T) {
	a := newBed(t, lakeTables)
	part := func(id int) *model.File { return avroPart("event_id user_id", row(id, 10)) }
	a.run(dumpOf(1, full("e", part(1)), full("f", part(1))))
	outside := filepath.Join(a.dir, "outside")
	link := func(at string) {
		t.Helper()
		if err := errors.Join(os.Rename(at, outside), os.Symlink(outside, at)); err != nil {
			t.Fatal(err)
		}
	}
	at := onlyFile(t, filepath.Join(a.dir, "lake", "e"))
	link(at)
	a.held(a.run(dumpOf(2, more("f", part(2)))), "e symbolic link")
	a.want("f", "event_id", "1", "2")
	if err := os.Rename(outside, at); err != nil {
		t.Fatal(err)
	}
	a.arrive(dumpOf(3, more("e", part(3))), dumpOf(4, more("f", part(4))))
	link(filepath.Join(a.dir, "dumps", "sync_3"))
	a.held(a.run(), "e 3 sync_3 is a symbolic link")
	a.want("f", "event_id", "1", "2", "4")
}

// TestContractResyncGivenUp: a dump that a resync was to make void holds the table
// after all when the resync turns out to be damaged while it is read.
func TestContractResyncGivenUp(t *testing.T) {
	file := func(rows ...[]any) *model.File { return avroPart("event_id user_id", rows...) }
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", file(row(1, 10)))))
	unsaid := more("e", file(row(2, 10)))
	unsaid.Incremental = nil
	bad := file(row(3, 10), row(4, 10))
	bad.Fault = model.Damaged
	a.held(a.run(dumpOf(2, unsaid), dumpOf(3, more("e", file(row(5, 10)))), dumpOf(4, full("e", bad))), "e", "e")
	a.want("e", "event_id", "1")
	a.held(a.run(), "e")
	a.want("e", "event_id", "1")
}
