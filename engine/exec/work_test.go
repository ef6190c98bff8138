package exec

import "testing"

// Rows that do not fit in memory are more work to write, with less memory never less, and
// those that the table has more than those that are delivered.
func TestWorkOfMerging(t *testing.T) {
	const size = 100 << 20 // bytes of part files; a third of that is what they become in a sink
	in, have := Extent{Bytes: size, Rows: size / 200, Columns: 35}, Extent{Bytes: size / 3, Rows: size / 200, Columns: 35}
	limits := []int64{4 << 30, 1 << 30, 512 << 20, 256 << 20, 64 << 20}
	for _, sinks := range []int{1, 3} {
		delivered, stored := int64(0), int64(0)
		for _, limit := range limits {
			b := NewBudget(limit, 2)
			d, s := WorkOfMerging(in, Extent{}, b, sinks), WorkOfMerging(Extent{}, have, b, sinks)
			if d < delivered || s < stored || s < d-d/100 {
				t.Errorf("%d sinks, %d bytes of memory: %d of work for what is delivered, %d for what is stored; with more memory %d and %d", sinks, limit, d, s, delivered, stored)
			}
			delivered, stored = d, s
		}
		if memory := WorkOfMerging(in, Extent{}, NewBudget(limits[0], 2), sinks); delivered <= memory || stored <= delivered {
			t.Errorf("%d sinks: %d of work in memory, %d from scratch files, %d of rows that are stored", sinks, memory, delivered, stored)
		}
	}
}
