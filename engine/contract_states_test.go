package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/internal/feed"
	"reconcile/state"
)

// bulkyTables has every kind of object in the state: shadow rows, index runs,
// users, a mapping, quarantined rows.
func bulkyTables(t *testing.T) *bed {
	a := newBed(t, `
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`)
	a.tuning = Tuning{GroupRows: 2, Inline: 1, IndexRuns: 2}
	return a
}

// bulkyDump makes dump id of bulkyTables: users id, id+1 and 10, who is merged
// with the former.
func bulkyDump(id int64) *model.Dump {
	n := int(id)
	day := fmt.Sprintf("2026-01-%02d", 1+n%20)
	event := avroPart("event_id user_id time", row(n, 10, day), row(n, n, day), row(n, n+1, day), row(nil, 10, day), row(n+100, 10, day))
	user := avroPart("user_id v:string", row(10, "u"), row(n, "v"), row(nil, "w"))
	mapping := avroPart("from_user_id to_user_id", row(n, 10), row(n+1, 10), row(nil, 10))
	return dumpOf(id, more("e", event), more("f", event), more("users", user), full(feed.TableMapping, mapping))
}

// TestStatesInOneFolder: states beside each other do not touch what is the other's.
func TestStatesInOneFolder(t *testing.T) {
	prod, dev := bulkyTables(t), bulkyTables(t)
	dev.prelude = strings.Replace(prelude, "../state/state.db", filepath.Join(prod.dir, "state", "dev.db"), 1)
	for i := int64(1); i < 12; i++ {
		a := prod
		if i%2 == 0 {
			a = dev
		}
		a.held(a.run(bulkyDump(i)))
		a.check()
		prod.checkIdle()
		if i > 1 {
			dev.checkIdle()
		}
	}
	all := avroPart("event_id user_id time", row(1, 10, "2026-01-02"))
	for _, a := range []*bed{prod, dev} {
		a.held(a.run(dumpOf(20, more("e", all), full(feed.TableMapping)))) // everybody is parted: all that is stored is read
		a.check()
	}
	prod.checkIdle()
}

// filesOf reads all files below a folder.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		out[p], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestObjectsOfTheVersionBefore: a state whose objects lie in the folder that an
// earlier version shared among states goes on, copies them, and leaves that folder
// as it is.
func TestObjectsOfTheVersionBefore(t *testing.T) {
	a := bulkyTables(t)
	for i := int64(1); i < 5; i++ {
		a.run(bulkyDump(i))
	}
	own, shared := filepath.Join(a.dir, "state", "state.db.objects"), filepath.Join(a.dir, "state", "objects")
	if err := errors.Join(os.Rename(own, shared), os.Remove(filepath.Join(shared, "lineage"))); err != nil {
		t.Fatal(err)
	}
	before := filesOf(t, shared)
	a.checkIdle()
	if _, err := os.Stat(own); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an apply that changed nothing made %s: %v", own, err)
	}
	for i := int64(5); i < 9; i++ {
		a.held(a.run(bulkyDump(i)))
		a.check()
		a.checkIdle()
		for path, data := range filesOf(t, shared) {
			if !bytes.Equal(data, before[path]) {
				t.Fatalf("%s is not what it was", path)
			}
		}
		if n := len(filesOf(t, shared)); n != len(before) {
			t.Fatalf("%d files are left of %d", n, len(before))
		}
	}
	if err := os.RemoveAll(shared); err != nil {
		t.Fatal(err)
	}
	a.held(a.run(dumpOf(20, full(feed.TableMapping))))
	a.check()
	a.checkIdle()
}

// TestObjectsOfAnotherState: nothing is planned or applied with a folder of objects
// that is another state's.
func TestObjectsOfAnotherState(t *testing.T) {
	a := bulkyTables(t)
	a.run(bulkyDump(1))
	lineage := a.snapshot().Lineage
	if err := errors.Join(os.Remove(filepath.Join(a.dir, "state", "state.db")), os.RemoveAll(filepath.Join(a.dir, "lake"))); err != nil {
		t.Fatal(err)
	}
	before := a.tree()
	_, err := a.apply()
	_, planErr := a.engine().Plan(t.Context())
	for _, err := range []error{err, planErr} {
		if err == nil || !strings.Contains(err.Error(), lineage) || !strings.Contains(err.Error(), "move the folder aside") {
			t.Fatalf("got %v", err)
		}
	}
	if after := a.tree(); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Fatalf("before %q\nafter  %q", before, after)
	}
	dir := filepath.Join(a.dir, "state", "state.db.objects")
	if err := os.Rename(dir, dir+".aside"); err != nil {
		t.Fatal(err)
	}
	a.held(a.run())
	a.check()
	a.checkIdle()
}

// snapshot returns the state as it is.
func (h *harness) snapshot() *state.Snapshot {
	h.t.Helper()
	snap, err := h.engine().store.Load(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	if err := snap.Close(); err != nil {
		h.t.Fatal(err)
	}
	return snap
}

// editState changes the state in one transaction.
func (h *harness) editState(edit func(tx *state.Tx, snap *state.Snapshot) error) {
	h.t.Helper()
	ctx := h.t.Context()
	l, err := h.engine().Lock(ctx, "test")
	if err != nil {
		h.t.Fatal(err)
	}
	snap, err := l.Load(ctx)
	if err == nil {
		err = l.Update(ctx, func(tx *state.Tx) error { return edit(tx, snap) })
	}
	if err = errors.Join(err, snap.Close(), l.Unlock()); err != nil {
		h.t.Fatal(err)
	}
}
