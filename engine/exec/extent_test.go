package exec

import "testing"

// Bytes of usual page views count about once, those of narrow rows more often, and those of
// long texts less; where the number of rows is not known, bytes count as they are.
func TestExtent(t *testing.T) {
	for _, c := range []struct {
		name       string
		e          Extent
		from, upTo float64 // that a delivered byte counts
	}{
		{"page views", Extent{Bytes: 200_000, Rows: 1000, Columns: 35}, 0.9, 1.1},
		{"narrow rows", Extent{Bytes: 20_000, Rows: 1000, Columns: 4}, 3, 4},
		{"long texts", Extent{Bytes: 1_500_000, Rows: 1000, Columns: 4}, 0.2, 0.3},
		{"unknown rows", Extent{Bytes: 1000, Columns: 4}, 1, 1},
		{"nothing", Extent{Columns: 4}, 0, 0},
	} {
		got := float64(c.e.AsDelivered())
		if size := float64(c.e.Bytes); got < c.from*size || got > c.upTo*size {
			t.Errorf("%s: %d bytes count as %v, want %v to %v times", c.name, c.e.Bytes, got, c.from, c.upTo)
		}
		written := Extent{Bytes: PublishedOf(c.e.Bytes), Rows: c.e.Rows, Columns: c.e.Columns}
		if got := c.e.AsWritten(); got != written.AsStored() {
			t.Errorf("%s: %d is written, want %d", c.name, got, written.AsStored())
		}
	}
	whole := Extent{Bytes: 1000, Rows: 100, Columns: 7}
	if got, want := whole.Part(4), (Extent{Bytes: 250, Rows: 25, Columns: 7}); got != want {
		t.Errorf("a part of four is %+v, want %+v", got, want)
	}
}
