package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"reconcile/engine/commit"
	"reconcile/engine/enginetest"
	"reconcile/engine/lake"
	"reconcile/internal/blob"
	"reconcile/sinks"
	"reconcile/sinks/parquet"
	"reconcile/state"
)

// listOf stops an apply of a dump before its publish list is removed, and returns that
// list and what the table is then.
func (a *bed) listOf(point string) (*state.Publish, *state.Table, string) {
	a.t.Helper()
	if res, _, err := a.applyFailing(point); err == nil && !res.Partial() {
		a.t.Fatal("the failpoint was not met")
	}
	snap, err := a.engine().store.Load(a.t.Context())
	if err != nil || len(snap.Publishes) != 1 {
		a.t.Fatal(snap.Publishes, err)
	}
	defer snap.Close()
	return snap.Publishes[0], snap.Tables[snap.Publishes[0].Table], snap.Lineage
}

// What somebody says late who was paused in the middle of a commit takes nothing back:
// neither after that commit was finished by another one, nor after the next.
func TestLateAnnouncements(t *testing.T) {
	a := twoTables(t)
	root := filepath.Join(a.dir, "lake")
	a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))))
	list, table, lineage := a.listOf("publish.current.complete=error")
	late := func(complete bool) (map[string]bool, error) {
		e := a.engine()
		l, err := e.Lock(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Unlock()
		return commit.NewAnnouncer(l, e.commits()).Announce(t.Context(), lineage, []string{root}, list, table, complete)
	}
	a.must()
	for _, complete := range []bool{false, true} {
		before, _ := os.ReadFile(a.currentFile())
		done, err := late(complete)
		after, _ := os.ReadFile(a.currentFile())
		if err != nil || !done[root] || !bytes.Equal(before, after) {
			t.Errorf("complete %v, of a commit that is complete: %v, %v; it says %s", complete, done, err, after)
		}
	}
	a.arrive(dumpOf(3, more("e", avroPart("event_id user_id", row(4, 10)))))
	a.must()
	for _, complete := range []bool{false, true} {
		before, _ := os.ReadFile(a.currentFile())
		_, err := late(complete)
		after, _ := os.ReadFile(a.currentFile())
		if lake.WhyDistrusted(err) == "" || !bytes.Equal(before, after) {
			t.Errorf("complete %v, of an older commit: %v; it says %s", complete, err, after)
		}
	}
	table.Applied[0].Dump = 77 // of another state, with the same numbers
	list.Commit = a.commits()["e"]
	if _, err := late(false); lake.WhyDistrusted(err) == "" {
		t.Errorf("of a commit of another state: %v", err)
	}
	a.checkIdle()
}

// A recovery that finds its commit complete writes nothing to the sink, and ends it.
func TestRecoveryOfACompleteCommit(t *testing.T) {
	a := twoTables(t)
	a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))))
	a.listOf("publish.clear.before=error")
	before, err := os.ReadFile(a.currentFile())
	if err != nil {
		t.Fatal(err)
	}
	// The staged file is back: somebody's request was carried out late.
	list, _, _ := a.listOf("publish.clear.before=error")
	staged := filepath.Join(a.dir, "lake", filepath.FromSlash(list.Steps[0].Staged))
	if err := errors.Join(os.MkdirAll(filepath.Dir(staged), 0o755), os.WriteFile(staged, make([]byte, list.Steps[0].Size), 0o644)); err != nil {
		t.Fatal(err)
	}
	a.must()
	after, err := os.ReadFile(a.currentFile())
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("%v: it says %s, it said %s", err, after, before)
	}
	snap, err := a.engine().store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	for _, p := range snap.Partitions["e"] {
		for _, f := range p.Files {
			if f.Pin == "" {
				t.Errorf("%s has no pin", f.Path)
			}
		}
	}
}

// otherWriter is a sink in which somebody else writes current.json before each of the first writes of another one.
type otherWriter struct {
	sinks.Sink
	t     *testing.T
	times int
	edit  func(c *sinks.Current)
}

func (r *otherWriter) SetCurrent(ctx context.Context, c *sinks.Current, version string) (string, error) {
	if r.times > 0 {
		r.times--
		cur, now, err := r.Sink.Current(ctx)
		if err != nil {
			r.t.Fatal(err)
		}
		r.edit(cur)
		if _, err := r.Sink.SetCurrent(ctx, cur, now); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.Sink.SetCurrent(ctx, c, version)
}

// Who finds that current.json was written by another one meanwhile judges again what it
// says then.
func TestRacingAnnouncements(t *testing.T) {
	for name, c := range map[string]struct {
		times int
		edit  func(c *sinks.Current)
		want  func(err error) bool
	}{
		"another table":   {3, func(c *sinks.Current) { e := c.Tables["f"]; e.Commit++; c.Tables["f"] = e }, func(err error) bool { return err == nil }},
		"the table":       {1, func(c *sinks.Current) { e := c.Tables["e"]; e.Commit += 100; c.Tables["e"] = e }, func(err error) bool { return lake.WhyDistrusted(err) != "" }},
		"another state":   {1, func(c *sinks.Current) { c.Lineage = "x" }, func(err error) bool { return err != nil && lake.WhyDistrusted(err) == "" }},
		"again and again": {1000, func(*sinks.Current) {}, func(err error) bool { return errors.Is(err, sinks.ErrCurrentChanged) }},
		"complete by others": {1, func(c *sinks.Current) {
			e := c.Tables["e"]
			e.Commit, e.Complete, e.Dumps = 1000, true, []int64{1, 2}
			c.Tables["e"] = e
		}, func(err error) bool { return err == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			a := twoTables(t)
			root := filepath.Join(a.dir, "lake")
			a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))))
			list, table, lineage := a.listOf("publish.move.before=error")
			if name == "complete by others" {
				list.Commit = 1000
			}
			e := a.engine()
			e.lake.Use(root, &otherWriter{e.lake.Sink(root), t, c.times, c.edit})
			l, err := e.Lock(t.Context(), "test")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Unlock()
			_, err = commit.NewAnnouncer(l, e.commits()).Announce(t.Context(), lineage, []string{root}, list, table, false)
			if !c.want(err) {
				t.Fatal(err)
			}
			cur, _, err := e.lake.Sink(root).Current(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if name == "another table" && (cur.Tables["e"].Complete || cur.Tables["e"].Commit != list.Commit || cur.Writes < 4) {
				t.Errorf("it says %+v", cur)
			}
		})
	}
}

// unconditional is a store that keeps no condition on writes.
type unconditional struct{ blob.Store }

func (u unconditional) Create(ctx context.Context, key string, cond blob.Cond) (blob.Writer, error) {
	if cond != (blob.Cond{}) {
		return nil, fmt.Errorf("create %s: %w", key, blob.ErrUnsupported)
	}
	return u.Store.Create(ctx, key, cond)
}

// In a place that keeps no condition on writes a state whose lock ends with its process
// goes on as usual.
func TestUnconditionalPlace(t *testing.T) {
	a := twoTables(t)
	for id := 2; id < 4; id++ {
		a.arrive(dumpOf(int64(id), more("e", avroPart("event_id user_id", row(id+1, 10)))))
		e, root := a.engine(), filepath.Join(a.dir, "lake")
		st, err := blob.NewLocal(root)
		if err != nil {
			t.Fatal(err)
		}
		e.lake.Use(root, parquet.New(unconditional{st}, parquet.Options{RowGroup: a.tuning.GroupRows}))
		if res, err := enginetest.Apply(t.Context(), e); err != nil || res.Partial() {
			t.Fatal(err, res)
		}
		a.check()
	}
	a.checkIdle()
}
