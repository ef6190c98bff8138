package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/engine"
	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/state"
)

// show returns what a view writes to standard output and standard error.
func show(t *testing.T, use func(v view), asJSON bool) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	w := newOutput(&o)
	var v view = &textView{out: w, err: &e}
	if asJSON {
		v = &jsonView{out: w}
	}
	use(v)
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	return o.String(), e.String()
}

func id(n int64) *int64 { return &n }

// fullPlan has something of everything that a plan can say.
func fullPlan() *plan.Plan {
	many := []plan.DumpStep{}
	for i := range int64(12) {
		many = append(many, plan.DumpStep{Dump: 100 + i, Files: 2, Bytes: 1_500_000})
	}
	return &plan.Plan{
		Lineage: "l", Serial: 7,
		Notices: []string{"something to know"},
		Recover: []string{"views"},
		Mapping: plan.Mapping{From: id(1), To: id(2), Entries: 1234, Merged: 1, Parted: 2, Notes: []string{"1 cycle"}},
		Tables: []*plan.Table{
			{Name: "fresh", Action: plan.Create, Dumps: many, BytesToWrite: 18_000_000, Scratch: 21_600_000},
			{Name: "gone", Action: plan.Destroy, RowsNow: 5, Destroys: []string{"its files in /lake/gone"}},
			{Name: "idle"},
			{Name: "kept", Action: plan.Forget, RowsNow: 5},
			{Name: "left", Behind: true},
			{Name: "lost", Action: plan.Rebuild, Change: plan.ConfigDiff{Class: plan.ClassRebuild, Reasons: []string{"x changed"}},
				Lost: []int64{3, 4}, RowsNow: 1000, PartitionsNow: 10, Partitions: 10, BytesToWrite: 999},
			{Name: "sized", Action: plan.Update, Exact: true, PartitionsNow: 400, Partitions: 2, BytesToWrite: 2_000_000,
				NewColumns: []string{"a", "b"}, NewMasks: []plan.ColumnMask{{Column: "b", Method: "null"}, {Column: "c", Method: "drop"}}, Rekeyed: 3, Counts: &plan.Counts{Added: 1200, Revived: 2},
				Dumps: []plan.DumpStep{{Dump: 8, Void: true}, {Dump: 9, Files: 1, Bytes: 10}}},
		},
		Holds: []plan.Hold{
			{Table: "fresh", Dump: 120, File: "sync_120/x.avro", Reason: "it is cut"},
			{File: "manifests/sync_3.json", Reason: "no dump_id"},
		},
		Unclaimed: []string{"_event_metadata"},
	}
}

const fullText = `Note: something to know

The apply first finishes what an interrupted one had committed: views.

Destructive steps, which replace or remove what is there:

  - table.gone: destroy, with 5 rows
        destroys its files in /lake/gone
        needs -allow-destroy
-/+ table.lost: rebuild from the source
        x changed
        ~10 partitions to rewrite (there are 10), ~999 B to write
        dumps 3, 4: gone from the source, their rows would be lost
        needs -accept-loss=lost

User mapping: that of dump 2, of 1,234 entries, replaces that of dump 1: 1 user merged, 2 parted.
Warning: user mapping: 1 cycle

Steps:

  + table.fresh: create
        dumps 100, 101, 102, ... 111 (12): 24 files, 18.0 MB to read
        ~18.0 MB to write
        ~21.6 MB of scratch_dir meanwhile
  . table.kept: forget; its files stay
  ~ table.sized: update
        dump 8: void, not read
        dump 9: 1 file, 10 B to read
        new columns: a, b
        masked (drop): c
        masked (null): b
        3 users with another canonical id
        2 partitions to rewrite (there are 400), 2.0 MB to write
        rows: 1,200 added, 2 revived

Held, while the rest goes on:

  table.fresh, dump 120, sync_120/x.avro
      it is cut
  manifests/sync_3.json
      no dump_id

table.left is left behind: -target does not name it.

Delivered, but no table block takes it: _event_metadata.
Add a block, or say ignore "_event_metadata" {}.

Plan: 1 table to add, 3 to change, 1 to destroy, 2 held
`

func TestTextPlan(t *testing.T) {
	out, errs := show(t, func(v view) { v.plan(fullPlan()) }, false)
	if diff := cmp.Diff(fullText, out); diff != "" || errs != "" {
		t.Errorf("plan (-want +got):\n%s\nstandard error: %q", diff, errs)
	}
}

// A reason that many tables are held for, such as a sink, is given once.
func TestHoldsOfOneReason(t *testing.T) {
	held := []plan.Hold{{Table: "a", Reason: "no bucket"}, {Table: "b", Reason: "no bucket"}, {Table: "c", Reason: "it is cut"}}
	out, _ := show(t, func(v view) { v.plan(&plan.Plan{Holds: held}) }, false)
	if want := "\n  table.a\n  table.b\n      no bucket\n  table.c\n      it is cut\n"; !strings.Contains(out, want) {
		t.Errorf("got %q, want it to contain %q", out, want)
	}
}

// Every line stands alone, the destructive ones first, and the counts last.
func TestJSONPlan(t *testing.T) {
	out, _ := show(t, func(v view) { v.plan(fullPlan()) }, true)
	var got []string
	for line := range strings.Lines(out) {
		var v struct {
			Type, Address string
			Destructive   bool
			Needs         []string
			Add, Destroy  int
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, fmt.Sprintf("%s %s %v%v%d %d", v.Type, v.Address, v.Destructive, v.Needs, v.Add, v.Destroy))
	}
	want := []string{
		"notice  false[]0 0",
		"table table.gone true[-allow-destroy]0 0", "table table.lost true[-accept-loss=lost]0 0",
		"mapping  false[]0 0",
		"table table.fresh false[]0 0", "table table.kept false[]0 0", "table table.sized false[]0 0", "table table.left false[]0 0",
		"hold  false[]0 0", "hold  false[]0 0",
		"plan  false[]1 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What may be a mistake is told: rows that are all without keys, values of which none casts.
func TestWarningsOfRows(t *testing.T) {
	for _, c := range []struct {
		name   string
		table  string
		counts plan.Counts
		want   []string
	}{
		{"nothing", "a", plan.Counts{}, nil},
		{"some without keys", "a", plan.Counts{Read: 4, Quarantined: 3, Added: 1},
			[]string{"table.a: 3 rows whose keys are missing or are no whole numbers went to the quarantine: `reconcile quarantine list`"}},
		{"all without keys", "a", plan.Counts{Read: 3, Quarantined: 3, Removed: 7},
			[]string{"table.a: 3 rows whose keys are missing or are no whole numbers went to the quarantine, which is every row that was read of it: `reconcile quarantine list`"}},
		{"some do not cast", "a", plan.Counts{Read: 3, Added: 2, Replaced: 1, Rescued: 2}, nil},
		{"of few that count", "a", plan.Counts{Read: 100, Added: 10, Collapsed: 90, Rescued: 30}, nil},
		{"one more user, where others were rescued", "users", plan.Counts{Read: 2, Added: 1, Rescued: 5, Rows: 900}, nil},
		{"no user casts", "users", plan.Counts{Read: 2, Added: 1, Rescued: 900, Rows: 900},
			[]string{"table.users: every row that came has a value that did not cast, so that a type may be wrong: `reconcile show -rescued table.users`"}},
		{"none casts", "a", plan.Counts{Read: 3, Added: 2, Replaced: 1, Rescued: 3},
			[]string{"table.a: every row that came has a value that did not cast, so that a type may be wrong: `reconcile show -rescued table.a`"}},
	} {
		got := warnings(&engine.Result{Tables: []engine.TableResult{{Name: c.table, Counts: c.counts}}})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestResult(t *testing.T) {
	broken := errors.New("the sink is full")
	r := &engine.Result{
		Tables: []engine.TableResult{
			{Name: "a", Action: plan.Update, Counts: plan.Counts{Added: 1234, Rescued: 1, Quarantined: 2, Rows: 5678}, Unlisted: map[string]int64{"y": 1, "x": 2}},
			{Name: "b", Action: plan.Destroy},
			{Name: "c", Action: plan.Update, Err: broken},
		},
		Holds: []plan.Hold{{Table: "d", Dump: 3, Reason: "why"}},
	}
	out, errs := show(t, func(v view) { v.result(r, nil) }, false)
	want := `
  table  added  quarantined  rescued   rows now
      a  1,234            2        1      5,678
      b      0            0        0  destroyed

Warning: table.a: the manifest does not list 2 fields of its files, which are not published: x (in 2 rows), y (in 1 row)
Warning: table.a: 2 rows whose keys are missing or are no whole numbers went to the quarantine: ` + "`reconcile quarantine list`" + `

Held, while the rest goes on:

  table.d, dump 3
      why

Applied in part: 2 tables changed, 1 failed, 1 held. It is safe to run again.
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if errs != "Error: table.c: the sink is full\n" {
		t.Errorf("standard error: %q", errs)
	}
	// What ended the apply is shown by its caller, once.
	out, errs = show(t, func(v view) { v.result(r, fmt.Errorf("apply: %w", broken)) }, false)
	if errs != "" || strings.Contains(out, "Applied") {
		t.Errorf("after an early end: %q and %q", out, errs)
	}
	out, _ = show(t, func(v view) { v.result(r, nil) }, true)
	if !strings.HasSuffix(out, `{"type":"apply","format_version":1,"status":"partial","changed":2,"failed":1,"held":1}`+"\n") {
		t.Errorf("JSON ends with %q", out)
	}
}

func TestJSONLine(t *testing.T) {
	for want, v := range map[string]any{
		`{"type":"x","format_version":1}` + "\n":             struct{}{},
		`{"type":"x","format_version":1,"a":"<&>"}` + "\n":   map[string]string{"a": "<&>"},
		`{"type":"x","format_version":1,"b":[1,2]}` + "\n":   map[string][]int{"b": {1, 2}},
		`{"type":"x","format_version":1,"rows":null}` + "\n": map[string]any{"rows": nil},
	} {
		got, err := jsonLine("x", v)
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_999: "1.0 MB", 1_500_000_000: "1.5 GB", 7e15: "7.0 PB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 entries", 1: "1 entry", 1000: "1,000 entries", 12345678: "12,345,678 entries", -1234: "-1,234 entries"} {
		if got := amount.Of(n, "entry"); got != want {
			t.Errorf("amount.Of(%d) = %q, want %q", n, got, want)
		}
	}
	for want, ids := range map[string][]int64{"dump 5": {5}, "dumps 2, 9": {9, 2}, "dumps 1, 2, 3, ... 9 (9)": {9, 8, 7, 6, 5, 4, 3, 2, 1}} {
		if got := plan.DumpNames(ids); got != want {
			t.Errorf("DumpNames(%v) = %q, want %q", ids, got, want)
		}
	}
}

func TestSeparate(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	got := separate(errors.Join(a, errors.Join(b, c)))
	if len(got) != 3 || got[0] != a || got[1] != b || got[2] != c {
		t.Errorf("got %v", got)
	}
	// An error that says more than its parts stays whole.
	whole := fmt.Errorf("both %w and %w", a, b)
	if got := separate(whole); len(got) != 1 || got[0] != whole {
		t.Errorf("got %v", got)
	}
}

func TestCodeOf(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	locked := fmt.Errorf("apply: %w", &state.LockedError{})
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{t.Context(), errors.New("x"), exitError},
		{t.Context(), locked, exitLocked},
		{done, locked, exitInterrupted},
		{done, context.Canceled, exitInterrupted},
	} {
		if got := codeOf(c.ctx, c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
}

// Every command must say what it is for, and every habit must answer.
func TestHelpIsComplete(t *testing.T) {
	for _, c := range commands() {
		if c.summary == "" || strings.HasSuffix(c.summary, ".") || habits()[c.name] != "" {
			t.Errorf("%s: bad summary %q, or a habit too", c.name, c.summary)
		}
	}
	for _, name := range []string{"destroy", "import", "refresh", "workspace", "output", "console", "graph", "providers"} {
		if habits()[name] == "" {
			t.Errorf("%s has no answer", name)
		}
	}
}
