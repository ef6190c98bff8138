package state

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconcile/state/internal/kv"
)

// follow makes the records of a table that commits follow each other in.
func follow(t *testing.T, before *Table, columns []Column, c Commit) *Table {
	t.Helper()
	next := &Table{Name: "t", Commit: c.Serial, Columns: columns, LastDelivery: 100 + int64(c.Serial)}
	if err := next.Follow(before, c); err != nil {
		t.Fatal(err)
	}
	return next
}

func commits(t *testing.T, table *Table) []Commit {
	t.Helper()
	list, err := table.Commits()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestHistoryFollows(t *testing.T) {
	seven := int64(7)
	list := []Commit{
		{Serial: 1, At: 1_772_668_800_000, Kind: CommitCreate, Dumps: []int64{-3, 0, 7}, Mapping: &seven, Added: 12, Rows: 12},
		{Serial: 5, At: 1_772_668_900_000, Kind: CommitTake, Dumps: []int64{8}, Mapping: &seven, Added: 1, Replaced: 2, Rekeyed: 3, Collapsed: 4, Revived: 5, Removed: 6, Quarantined: 7, Rescued: 8, Rows: 9},
		{Serial: 6, At: 1_772_668_800_000, Kind: CommitRewrite},
	}
	var table *Table
	for i, c := range list {
		before := table
		table = follow(t, before, nil, c)
		if diff := cmp.Diff(list[:i+1], commits(t, table)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if table.Committed != c.At {
			t.Errorf("committed at %d, want %d", table.Committed, c.At)
		}
		if before != nil && len(commits(t, before)) != i {
			t.Error("the history of the record before changed")
		}
	}
}

func TestDumpsOfACommit(t *testing.T) {
	ids := make([]int64, 5000)
	for i := range ids {
		ids[i] = int64(1000 + i)
	}
	for n, want := range map[int]Commit{0: {}, 2: {Dumps: []int64{1000, 1001}}, 16: {Dumps: ids[:16]}, 17: {Dumps: []int64{1000, 1016}, Count: 17}, 5000: {Dumps: []int64{1000, 5999}, Count: 5000}} {
		var c Commit
		c.SetDumps(ids[:n])
		if diff := cmp.Diff(want, c, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%d dumps (-want +got)\n%s", n, diff)
		}
	}
}

// TestHistoryIsBounded: the oldest commits go, and the newest are there, however many
// there were.
func TestHistoryIsBounded(t *testing.T) {
	var table *Table
	for i := range uint64(5000) {
		table = follow(t, table, nil, Commit{Serial: i, At: 1_772_668_800_000, Kind: CommitTake, Dumps: []int64{int64(i)}, Mapping: new(int64), Added: 100_000, Rows: 1 << 40})
		if len(table.History) > maxHistory {
			t.Fatalf("commit %d: %d bytes", i, len(table.History))
		}
	}
	list := commits(t, table)
	if n := len(list); n < 300 || list[n-1].Serial != 4999 || !slices.IsSortedFunc(list, func(a, b Commit) int { return int(a.Serial) - int(b.Serial) }) {
		t.Errorf("%d commits to %d", n, list[n-1].Serial)
	}
}

// TestColumnsOfCommits: what a commit does to the columns of a table that was there.
func TestColumnsOfCommits(t *testing.T) {
	col := func(name, typ, mask string, since int64) Column {
		return Column{Name: name, Delivered: name, Type: typ, Mask: mask, Since: since}
	}
	a := follow(t, nil, []Column{col("a", "string", "", 1), col("b", "string", "", 1), col("c", "string", "null", 1)}, Commit{Serial: 1, At: 10})
	b := follow(t, a, []Column{col("", "string", "drop", 2), col("d", "int64", "", 2), col("a", "int64", "", 1), col("c", "string", "hmac-sha256", 1), col("", "int64", "drop", 2)}, Commit{Serial: 2, At: 20})
	c := follow(t, b, b.Columns, Commit{Serial: 3, At: 30})
	d := follow(t, c, []Column{col("b", "date", "hmac-sha256", 3), col("a", "int64", "", 1), col("d", "int64", "", 2), col("c", "string", "", 1)}, Commit{Serial: 4, At: 40})
	for i, table := range []*Table{a, b, c, d} {
		want := []ColumnChange{
			{Serial: 2, At: 20, Event: ColumnCame, Column: "d", Dump: 2, To: "int64"},
			{Serial: 2, At: 20, Event: ColumnRetyped, Column: "a", Dump: 102, From: "string", To: "int64"},
			{Serial: 2, At: 20, Event: ColumnMasked, Column: "c", Dump: 102, From: "null", To: "hmac-sha256"},
			{Serial: 2, At: 20, Event: ColumnWent, Column: "b", Dump: 102, From: "string", Since: 1},
			{Serial: 4, At: 40, Event: ColumnCame, Column: "b", Dump: 3, To: "date"},
			{Serial: 4, At: 40, Event: ColumnMasked, Column: "c", Dump: 104, From: "hmac-sha256"},
		}[:[]int{0, 4, 4, 6}[i]]
		got, err := table.ColumnChanges()
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("commit %d: %v (-want +got)\n%s", i+1, err, diff)
		}
	}
}

// TestStoredNumbers: the numbers of kinds and events are in states that were written.
func TestStoredNumbers(t *testing.T) {
	for k, want := range []string{"", "create", "take", "mapping", "metadata", "rewrite", "rebuild", "repair", "state rebuild", "another"} {
		if got := CommitKind(k).String(); got != want {
			t.Errorf("kind %d is %q, want %q", k, got, want)
		}
	}
	for e, want := range []string{"", "came", "went", "type", "mask", "another"} {
		if got := ColumnEvent(e).String(); got != want {
			t.Errorf("event %d is %q, want %q", e, got, want)
		}
	}
}

// TestForeignHistory: what a newer program adds is passed over, and what is no history is
// an error and no crash.
func TestForeignHistory(t *testing.T) {
	type newer struct {
		Commit
		More string `cbor:"99,keyasint"`
	}
	item, err := kv.Encode(newer{Commit{Serial: 3, Kind: 77}, "more"})
	if err != nil {
		t.Fatal(err)
	}
	table := &Table{Name: "t", History: item}
	if list := commits(t, table); len(list) != 1 || list[0].Serial != 3 || list[0].Kind.String() != "another" {
		t.Errorf("%+v", list)
	}
	for n := range item {
		cut := &Table{Name: "t", History: item[:n]}
		if _, err := cut.Commits(); (err == nil) != (n == 0) || err != nil && !strings.Contains(err.Error(), "history of table t") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestWaitingIsStored(t *testing.T) {
	w := Waiting{Holds: []HeldSince{{Table: "t", Dump: 3, File: "f", Reason: "r", Since: 5}, {Sink: "s", Guard: "g", Object: "o"}},
		Tables: []WaitingTable{{Table: "t", Unapplied: 2, Newest: 9}, {Table: "u", Behind: true}}}
	for _, want := range []Waiting{w, {}} {
		snap := &Snapshot{Facts: newFacts()}
		snap.Waiting = want
		tx := newTx(2, Head{Serial: 1, Lineage: "l"})
		if err := tx.PutAll(snap); err != nil {
			t.Fatal(err)
		}
		c := &kv.Content{}
		for key, value := range tx.changes.Puts[kv.Settings] {
			payload, _, err := kv.Unseal(kv.Settings, []byte(key), value)
			if err != nil {
				t.Fatal(err)
			}
			c.Entries[kv.Settings] = append(c.Entries[kv.Settings], kv.Entry{Key: []byte(key), Payload: payload})
		}
		got, err := Decode(c)
		if err != nil || !reflect.DeepEqual(got.Waiting, want) || len(got.Settings) != 0 {
			t.Errorf("%v: %+v and the settings %v, want %+v", err, got.Waiting, got.Settings, want)
		}
	}
}
