package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/rebuild"
	"reconcile/internal/failpoint"
)

// lostBed is a lake of two commits a table, of which one file was changed and one is
// gone, and whose state is damaged.
func lostBed(t *testing.T) *bed {
	a := newBed(t, strings.Replace(lakeTables, "table \"*\" { sinks = [sink.parquet.lake] }", "table \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = [date(time)]\n}", 1))
	a.tuning.Inline = 1
	a.run(dumpOf(1, full("e", avroPart("event_id user_id time", row(1, 10, "2026-01-01"), row(2, 11, "2026-01-02"), row(3, 12, "2026-01-03"))),
		full("users", avroPart("user_id v", row(10, "u10"), row(11, "u11"))), more("user_migrations", avroPart("from_user_id to_user_id", row(11, 10)))))
	a.run(dumpOf(2, more("e", avroPart("event_id user_id time", row(2, 10, "2026-01-02"), row(4, 10, "2026-01-03")))))
	files, err := filepath.Glob(filepath.Join(a.dir, "lake", "e", "*", "*.parquet"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(files[1], data, 0o644), os.Remove(files[2])); err != nil {
		t.Fatal(err)
	}
	a.damageState()
	return a
}

// damageState makes the state file one that nobody can read.
func (a *bed) damageState() {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, "state", "state.db"), []byte("not a state"), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// wantLost checks that the bed of lostBed is right.
func (a *bed) wantLost() {
	a.t.Helper()
	a.want("e", "event_id user_id _raw_user_id", "1 10 10", "2 10 10", "3 12 12", "4 10 10")
	a.want("users", "user_id v", "10 u11")
	if res := a.run(); len(res.Tables)+len(res.Holds) > 0 { // it may tidy up
		a.t.Errorf("the apply after it changed %+v, held %+v", res.Tables, res.Holds)
	}
	a.checkIdle()
}

// rebuildOn is a run of the command after one that was stopped.
func (a *bed) rebuildOn() error {
	_, _, err := a.rebuild()
	if !errors.Is(err, rebuild.ErrWhole) {
		return err
	}
	e := a.engine()
	l, err := e.States().LockOver(context.Background(), "test")
	if err != nil {
		return err
	}
	_, err = e.Recover(context.Background(), l)
	return errors.Join(err, l.Unlock())
}

// TestRebuildChangedFiles writes again only what is not right in the lake, and keeps the
// damaged file of the state.
func TestRebuildChangedFiles(t *testing.T) {
	a := lostBed(t)
	before := a.lakeFiles()
	sr, out, err := a.rebuild()
	if err != nil {
		t.Fatal(err)
	}
	if e := out.Tables[0]; e.Name != "e" || e.Kept != 1 || e.Written != 2 || e.Removed != 1 || sr.Damage == "" || out.Before == nil || out.Commit <= serialGapOfTests {
		t.Errorf("%+v %+v", sr, out)
	}
	after := a.lakeFiles()
	if kept := slices.DeleteFunc(before, func(line string) bool { return !slices.Contains(after, line) }); len(kept) != 3 {
		t.Errorf("kept are %q", kept)
	}
	aside, err := filepath.Glob(filepath.Join(out.Before.Place, "*"))
	if err != nil || len(aside) == 0 {
		t.Errorf("nothing is kept of the damaged state in %s", out.Before.Place)
	}
	res, err := a.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	if res.Changes() || len(res.Holds) > 0 {
		t.Errorf("the plan after it has changes: %+v", res)
	}
	a.wantLost()
	if _, _, err := a.rebuild(); !errors.Is(err, rebuild.ErrWhole) {
		t.Errorf("a state that reads whole: %v", err)
	}
}

// serialGapOfTests is below each serial of a rebuilt state.
const serialGapOfTests = 1000

// TestRebuildStopped stops the rebuild of a state at every step, then does it again.
func TestRebuildStopped(t *testing.T) {
	for _, p := range failpoint.All() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			for n := int64(1); ; n++ {
				a := lostBed(t)
				var err error
				if a.fails, err = failpoint.Parse(fmt.Sprintf("%s=error@%d", p, n)); err != nil {
					t.Fatal(err)
				}
				_, _, err = a.rebuild()
				hits := a.fails.Hits(p)
				a.fails = nil
				if hits >= n && !errors.Is(err, failpoint.ErrInjected) || hits < n && err != nil {
					t.Fatalf("stopped at %d: %v", n, err)
				}
				if err := a.rebuildOn(); err != nil {
					t.Fatalf("after a stop at %d: %v", n, err)
				}
				a.wantLost()
				if hits < n {
					return
				}
			}
		})
	}
}

// TestRebuildRefused: what contradicts itself, or is not known, is named, and nothing is
// done.
func TestRebuildRefused(t *testing.T) {
	two := "sink \"parquet\" \"pond\" { path = \"../pond\" }\ntable \"*\" { sinks = [sink.parquet.lake, sink.parquet.pond] }\n"
	edit := func(a *bed, sink, old, new string) {
		a.t.Helper()
		p := filepath.Join(a.dir, sink, "_reconcile", "current.json")
		data, err := os.ReadFile(p)
		if err != nil || !strings.Contains(string(data), old) {
			a.t.Fatal(string(data), err)
		}
		if err := os.WriteFile(p, []byte(strings.Replace(string(data), old, new, 1)), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		spoil func(a *bed)
		want  []string
	}{
		"other dumps":   {func(a *bed) { edit(a, "pond", `"dumps": [1]`, `"dumps": [1, 7]`) }, []string{"contradict", "pond", "table e", "lake"}},
		"other lineage": {func(a *bed) { edit(a, "pond", `"lineage": "`, `"lineage": "0`) }, []string{"contradict", "lineage"}},
		"damaged":       {func(a *bed) { edit(a, "pond", `{`, ``) }, []string{"current.json", "damaged", "pond"}},
		"nothing": {func(a *bed) {
			for _, s := range []string{"lake", "pond"} {
				_ = os.Remove(filepath.Join(a.dir, s, "_reconcile", "current.json"))
			}
		}, []string{"no configured sink has"}},
		"unnamed files": {func(a *bed) { _ = os.Remove(filepath.Join(a.dir, "pond", "_reconcile", "current.json")) }, []string{"pond", "does not name the table", "move them away"}},
		"another folder": {func(a *bed) {
			a.hcl = "sink \"parquet\" \"pond\" { path = \"../pond\" }\ntable \"e\" {\n  as = \"events\"\n  sinks = [sink.parquet.lake, sink.parquet.pond]\n}\n"
		}, []string{"table e", "folder", "the configuration that wrote it"}},
		"until_dump": {func(a *bed) {
			a.prelude = strings.Replace(a.prelude, `{ path = "../dumps" }`, "{\n  path = \"../dumps\"\n  until_dump = 0\n}", 1)
		}, []string{"table e", "dump 1", "until_dump = 0", "the configuration that wrote it"}},
		"a source without the dump": {func(a *bed) { a.forgetDump("1") }, []string{"dump 1", "-accept-loss=e", "nothing was done"}},
		"a file that is gone": {func(a *bed) {
			if err := os.RemoveAll(filepath.Join(a.dir, "dumps", "sync_1")); err != nil {
				a.t.Fatal(err)
			}
		}, []string{"dump 1", "part-00000.avro", "-accept-loss=e"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, two)
			a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
			a.loseState()
			c.spoil(a)
			before := a.tree()
			_, _, err := a.rebuild()
			if err == nil {
				t.Fatal("it was rebuilt")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in: %v", w, err)
				}
			}
			if after := a.tree(); !slices.Equal(before, after) {
				t.Errorf("it changed %q to %q", before, after)
			}
		})
	}
}

// TestRebuildElsewhere: a state that reads whole at the place that current.json names is
// not lost, wherever the configuration leads.
func TestRebuildElsewhere(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	a.prelude = strings.Replace(a.prelude, "../state/state.db", "../state/other.db", 1)
	if _, _, err := a.rebuild(); !errors.Is(err, rebuild.ErrElsewhere) || !strings.Contains(err.Error(), "state.db") || !strings.Contains(err.Error(), "init -migrate-state") {
		t.Fatal(err)
	}
	a.damageState()
	if _, _, err := a.rebuild(); err != nil {
		t.Fatal(err)
	}
	a.want("e", "event_id", "1")
	a.checkIdle()
}
