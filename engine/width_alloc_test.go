package engine

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
)

// What a table with many columns allocates, in a plan and an apply of its first dump and of
// another, grows with the number of its columns and not with the square of that.
func TestAllocationsPerColumn(t *testing.T) {
	const few, times = 1000, 8
	measure := func(n int) float64 {
		a := newBed(t, lakeTables)
		columns := slices.Concat([]string{"event_id", "user_id"}, namesFrom(0, n))
		cells := make([]any, n)
		for i := range cells {
			cells[i] = "x"
		}
		part := func(id int) *model.File {
			return avroPart(strings.Join(columns, " "), row(slices.Concat([]any{id, 7}, cells)...))
		}
		var before, after runtime.MemStats
		one, two := dumpOf(1, listedAs(full("e", part(1)), columns...)), dumpOf(2, listedAs(more("e", part(2)), columns...))
		runtime.ReadMemStats(&before)
		a.held(a.run(one))
		a.held(a.run(two))
		runtime.ReadMemStats(&after)
		a.want("e", "event_id c0", "1 x", "2 x")
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	measure(few) // what is allocated once in a process
	a, b := measure(few), measure(few*times)
	t.Logf("%d columns allocate %.1f MB, %d columns %.1f MB", few, a/1e6, few*times, b/1e6)
	if b > a*times*2 {
		t.Errorf("%d columns allocate %.1f MB, %d columns %.1f MB", few, a/1e6, few*times, b/1e6)
	}
}
