package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	reference "github.com/parquet-go/parquet-go"

	"reconcile/engine/model"
	"reconcile/internal/feed"
)

// chunkBytes returns the stored bytes of every column chunk below a folder, and of
// every chunk of _dump_id the bounds that its statistics and its page index give.
func chunkBytes(t *testing.T, dir string) (chunks map[string][]byte, bounds map[string][2]int64) {
	t.Helper()
	chunks, bounds = map[string][]byte{}, map[string][2]int64{}
	for _, name := range killFiles(dir) {
		if !strings.HasSuffix(name, ".parquet") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := reference.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(dir, name)
		for g, rg := range f.Metadata().RowGroups {
			for i, c := range rg.Columns {
				m := c.MetaData
				at := m.DataPageOffset
				if m.DictionaryPageOffset > 0 {
					at = m.DictionaryPageOffset
				}
				key := fmt.Sprintf("%s group %d %s", rel, g, m.PathInSchema[0])
				chunks[key] = data[at : at+m.TotalCompressedSize]
				if m.PathInSchema[0] != feed.DumpID {
					continue
				}
				lo, hi := binary.LittleEndian.Uint64(m.Statistics.MinValue), binary.LittleEndian.Uint64(m.Statistics.MaxValue)
				bounds[key] = [2]int64{int64(lo), int64(hi)}
				index, err := f.RowGroups()[g].ColumnChunks()[i].ColumnIndex()
				if err != nil {
					t.Fatal(err)
				}
				for p := range index.NumPages() {
					if index.MinValue(p).Int64() < int64(lo) || index.MaxValue(p).Int64() > int64(hi) {
						t.Errorf("%s: page %d has values from %v to %v, the chunk from %d to %d", key, p, index.MinValue(p), index.MaxValue(p), lo, hi)
					}
				}
			}
		}
	}
	return chunks, bounds
}

// TestRedeliveryCopies delivers again the rows of one user and checks that of all column
// chunks only those of dumps change, and those only where the user is.
func TestRedeliveryCopies(t *testing.T) {
	h := newHarness(t, `
table "*" { sinks = [sink.parquet.lake] }
table "users" { sinks = [sink.parquet.lake] }
`)
	h.tuning.GroupRows = 4
	var rows, users [][]any
	for id := range int64(12) {
		rows = append(rows, killEvent(id, id/4, 1, fmt.Sprintf("/%d", id)))
		users = append(users, killUser(id, 2, "free"))
	}
	first := &model.Dump{ID: 1, Entries: []model.Entry{killEvents(1, "pageviews", "event_id", true, rows), killUsers(1, true, users...)}}
	second := &model.Dump{ID: 2, Entries: []model.Entry{killEvents(2, "pageviews", "event_id", true, rows[5:7]), killUsers(2, true, users[5:7]...)}}
	h.arrive(first, second)
	h.must()
	for _, table := range []string{"pageviews", "users"} {
		before, _ := chunkBytes(t, filepath.Join(h.lake(), table))
		h.redeliveries = map[string]int{}
		if table == "pageviews" {
			h.arrive(again(3, second.Entries[0]))
		} else {
			h.arrive(again(4, second.Entries[1]))
		}
		h.must()
		if h.redeliveries[table] != 1 {
			t.Fatalf("table %s: no redelivery was found", table)
		}
		after, bounds := chunkBytes(t, filepath.Join(h.lake(), table))
		changed := 0
		for key, was := range before {
			if bytes.Equal(was, after[key]) {
				continue
			}
			changed++
			if want := [2]int64{1, h.arrived[len(h.arrived)-1].ID}; !strings.HasSuffix(key, "group 1 "+feed.DumpID) || bounds[key] != want {
				t.Errorf("%s/%s changed; its bounds are %v", table, key, bounds[key])
			}
		}
		if changed != 1 || len(before) != len(after) {
			t.Errorf("table %s: %d of %d column chunks changed, 1 should have", table, changed, len(before))
		}
	}
}

// TestRedeliveryAfterLateDump checks that a partition is known to have rows of the greatest
// dump also after a late one was spliced into row groups that have none of them.
func TestRedeliveryAfterLateDump(t *testing.T) {
	h := newHarness(t, `table "*" { sinks = [sink.parquet.lake] }`)
	h.tuning.GroupRows = 4
	var rows [][]any
	for id := range int64(12) {
		rows = append(rows, killEvent(id, id/4, 1, fmt.Sprintf("/%d", id)))
	}
	old := &model.Dump{ID: 0, Entries: []model.Entry{killEvents(0, "pageviews", "event_id", true, rows[4:])}}
	dump := &model.Dump{ID: 5, Entries: []model.Entry{killEvents(5, "pageviews", "event_id", true, rows[:4])}}
	h.arrive(old, dump)
	h.must()
	h.arrive(&model.Dump{ID: 1, Entries: []model.Entry{killEvents(1, "pageviews", "event_id", true, [][]any{killEvent(99, int64(9), 1, "/late")})}})
	h.must()
	h.arrive(again(6, dump.Entries...))
	h.must()
	if h.redeliveries["pageviews"] != 1 {
		t.Error("no redelivery was found")
	}
}
