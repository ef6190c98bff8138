package commit

import (
	"context"
	"reflect"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// What the state says of a table is told by a task and what was done, and by nothing else;
// what only executors and sinks need of a file is not in it.
func TestRecordOfTaskAndResult(t *testing.T) {
	def := &definition.Table{Name: "e", PartitionBy: "day(time)", OnCastError: "rescue", OnSchemaChange: "evolve", Folder: "e"}
	newest := int64(2)
	task := &exec.Task{Table: "e", Kind: feed.KindEvents, Key: feed.EventID, Attempt: "1-a", Base: exec.Base{Commit: 3, Record: "r"},
		Schema:  &rules.Schema{Kind: feed.KindEvents, Key: feed.EventID, Table: def, Payload: []rules.Column{{Name: feed.RescuedData}}},
		Applied: []exec.Applied{{Dump: 1, Digest: "a"}}, Deliveries: []exec.Delivery{{Dump: 2, Digest: "b", Incremental: true}},
		Floor: 1, Stored: &exec.Stored{Rules: 7, Spelled: []string{"x"}},
		NewMapping: &exec.Mapping{Dump: 2, Ref: exec.Ref{Digest: "m"}},
		Sinks:      []exec.Target{{Root: "/lake", Folder: "e", Compression: "zstd", Encodings: "plain"}}}
	file := exec.File{Path: "e/part-00000.parquet", Size: 9, Rows: 2, Digest: "d", Staged: "staged", Groups: []int64{4}, Columns: []exec.ColumnFigure{{Name: "event_id"}}}
	done := &exec.Done{Strategy: exec.Delta, Partitions: []exec.Partition{{Ordinal: 4, Value: 20, Rows: 2, Newest: &newest, Files: []exec.File{file}}},
		Removed: []uint32{3}, Generation: 5, NextOrdinal: 6, Index: []exec.Ref{{Digest: "i"}}, Spelled: []string{"x", "y"},
		Content: &exec.Content{Dump: 2, Fingerprint: 8}, RemovedFiles: []exec.Removal{{Root: "/lake", Paths: []string{"e/gone.parquet"}}}}
	done.Counts.Rows = 12

	c, err := NewChange(context.Background(), nil, task, done, func(exec.Ref) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	want := &state.Table{Name: "e", Kind: feed.KindEvents, Key: feed.EventID, PartitionBy: "day(time)", OnCastError: "rescue", OnSchemaChange: "evolve",
		ExactNames: true, Generation: 5, NextOrdinal: 6, Rows: 12, LastDelivery: 2, Rules: 7, Spelling: []string{"x", "y"},
		Sinks:      []state.SinkTable{{Root: "/lake", Folder: "e", Compression: "zstd", Encodings: "plain"}},
		Applied:    []state.Applied{{Dump: 1, Digest: "a"}, {Dump: 2, Digest: "b", Incremental: true}},
		HasMapping: true, MappingDump: 2, Mapping: state.Ref{Digest: "m"}, Index: []state.Ref{{Digest: "i"}}, Content: &state.Content{Dump: 2, Fingerprint: 8}}
	if !reflect.DeepEqual(c.Table, want) {
		t.Errorf("the record is\n%+v, want\n%+v", c.Table, want)
	}
	part := Part{Staged: []string{"staged"}, Record: &state.Partition{Ordinal: 4, Value: 20, Rows: 2, Newest: &newest,
		Files: []state.File{{Path: "e/part-00000.parquet", Size: 9, Rows: 2, Digest: "d"}}}}
	if !reflect.DeepEqual(c.Parts, []Part{part}) {
		t.Errorf("the partitions are\n%+v, want\n%+v", c.Parts, part)
	}
	if c.Base != task.Base || c.Attempt != "1-a" || c.Whole || !reflect.DeepEqual(c.Removed, []uint32{3}) || len(c.Removals) != 1 || c.Removals[0].Path != "e/gone.parquet" {
		t.Errorf("the change is %+v", c)
	}
}
