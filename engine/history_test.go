package engine

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/engine/inspect"
	"reconcile/sinks"
	"reconcile/state"
)

// TestHistoryOfWorlds plays random exports under changing configurations: the history of a
// table ends with its last commit, tells which dumps it took, and what became of columns
// leads from none to those that it has.
func TestHistoryOfWorlds(t *testing.T) {
	for seed := range int64(1 + *flagWorlds/3) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, 100+seed, func(h *harness) { h.opts.Now = steadyClock() }, func(h *harness, _ *rand.Rand) { h.checkHistory() })
		})
	}
}

// steadyClock is a clock that goes on by a minute each time it is looked at.
func steadyClock() func() time.Time {
	now := time.Date(2026, 3, 5, 2, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Minute)
		return now
	}
}

func (h *harness) checkHistory() {
	h.t.Helper()
	snap := h.snapshot()
	reader := h.engine().Inspect()
	all, err := reader.History(h.t.Context(), "")
	if err != nil || len(all.Older) > 0 {
		h.t.Fatalf("%v: %v", err, all)
	}
	if !slices.IsSortedFunc(all.Commits, func(a, b inspect.Commit) int { return a.At.Compare(b.At) }) {
		h.t.Fatalf("the clock went back: %+v", all.Commits)
	}
	text, err := os.ReadFile(filepath.Join(h.lake(), "_reconcile", "current.json"))
	var current sinks.Current
	if err == nil {
		err = json.Unmarshal(text, &current)
	}
	if err != nil && len(snap.Tables) > 0 {
		h.t.Fatal(err)
	}
	for name, table := range snap.Tables {
		if e, ok := current.Tables[name]; ok && e.Committed != state.Time(table.Committed).Format(time.RFC3339) {
			h.t.Fatalf("table %s was committed at %s, current.json says %q", name, state.Time(table.Committed), e.Committed)
		}
		var list []inspect.Commit
		took := map[int64]bool{}
		for _, c := range all.Commits {
			if c.Table == name {
				list = append(list, c)
				for _, d := range c.Dumps {
					took[d] = true
				}
			}
		}
		last := list[len(list)-1]
		if last.Serial != table.Commit || last.Rows != table.Rows || last.Commit.At != table.Committed || table.Committed == 0 {
			h.t.Fatalf("table %s is of commit %d at %d with %d rows, its history ends with %+v", name, table.Commit, table.Committed, table.Rows, last)
		}
		if (last.Mapping != nil) != table.HasMapping || last.Mapping != nil && *last.Mapping != table.MappingDump {
			h.t.Fatalf("table %s stands at the mapping %d, its history ends with %+v", name, table.MappingDump, last)
		}
		for _, a := range table.Applied {
			if !took[a.Dump] && !a.Skipped {
				h.t.Fatalf("table %s has dump %d, which no commit took: %+v", name, a.Dump, list)
			}
		}
		changes, err := reader.SchemaHistory(h.t.Context(), name)
		if err != nil {
			h.t.Fatal(err)
		}
		want := map[string]string{}
		for _, c := range table.Columns {
			if c.Name != "" {
				want[c.Name] = c.Type
			}
		}
		if diff := cmp.Diff(want, replayed(h.t, changes)); diff != "" {
			h.t.Fatalf("table %s: its columns, and what %+v\nleads to:\n%s", name, changes, diff)
		}
	}
}

// replayed are the columns, with their types, that changes lead to.
func replayed(t *testing.T, changes []inspect.ColumnChange) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, c := range changes {
		typ, there := out[c.Column]
		if there == (c.Event == state.ColumnCame) || there && c.Event != state.ColumnMasked && typ != c.From {
			t.Fatalf("%+v of what is %q: %+v", c, typ, changes)
		}
		switch c.Event {
		case state.ColumnCame, state.ColumnRetyped:
			out[c.Column] = c.To
		case state.ColumnWent:
			delete(out, c.Column)
		}
	}
	return out
}

// TestWhenADumpArrived: the state keeps when the manifest changed last as the first table
// took the dump, also where a copy of it changed since.
func TestWhenADumpArrived(t *testing.T) {
	a := newBed(t, "table \"*\" { sinks = [sink.parquet.lake] }\n")
	part := avroPart("event_id user_id", row(1, 10))
	a.arrive(dumpOf(1, full("e", part), full("f", part)))
	first := time.Date(2026, 3, 5, 1, 30, 0, 0, time.UTC)
	for i, table := range []string{"table.e", "table.f"} {
		at, file := first.Add(time.Duration(i)*time.Hour), filepath.Join(a.dir, "dumps", "manifests", "sync_1.json")
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		a.opts.Targets = []string{table}
		if _, err := a.apply(); err != nil {
			t.Fatal(err)
		}
		if got := state.Time(a.snapshot().Dumps[1].Arrived); !got.Equal(first) {
			t.Errorf("after %s it arrived at %s, want %s", table, got, first)
		}
	}
}
