package verify

import (
	"testing"

	"reconcile/engine/exec"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// Each byte of a data file counts once, however many goroutines read it, and those that wait
// for the only one that has something to do count as if they worked.
func TestWorkOfDataFiles(t *testing.T) {
	for _, c := range []struct {
		size    int64
		workers int
		want    float64
	}{
		{sinks.LeastShare, 1, 1},
		{sinks.LeastShare, 4, 4},
		{2 * sinks.LeastShare, 4, 2},
		{100 * sinks.LeastShare, 4, 1},
	} {
		table := &state.Table{Name: "e", Kind: feed.KindEvents, Sinks: make([]state.SinkTable, 2)}
		parts := []*state.Partition{{Files: []state.File{{Size: c.size, Rows: 3}, {Size: c.size, Rows: 3, Sink: 1}}}}
		w, err := loadOf(t.Context(), &sizes{source: &source{workers: c.workers}}, table, parts, Sample{})
		if err != nil {
			t.Fatal(err)
		}
		for sink, f := range w.published {
			size := exec.Extent{Bytes: c.size, Rows: 3}.AsStored()
			if got := f.alone(c.workers); w.rows != 3 || f.all < size-int64(c.workers) || f.all > size || got != c.want {
				t.Errorf("%+v, sink %d: %d rows, which count as %d bytes, %v times; want %d", c, sink, w.rows, f.all, got, size)
			}
		}
	}
}
