package definition

import (
	"fmt"
	"testing"

	"reconcile/internal/glob"
)

// BenchmarkManyColumns is the time by column of what a table says of its columns: it is the
// same for few and for many.
func BenchmarkManyColumns(b *testing.B) {
	for _, n := range []int{2500, 10_000} {
		t := &Table{Kind: "events", Key: "event_id", OnSchemaChange: Freeze, Masks: []Mask{{Method: MaskNull}}}
		var names []string
		for i := range n {
			name := fmt.Sprint("column ", i)
			names = append(names, name)
			t.Columns = append(t.Columns, name)
			t.Masks[0].Columns = append(t.Masks[0].Columns, glob.Pattern(name))
			switch i % 3 {
			case 0:
				t.Blocks = append(t.Blocks, Block{Name: name, As: fmt.Sprint("new_", i)})
				t.Renamed = append(t.Renamed, name)
			case 1:
				t.Blocks = append(t.Blocks, Block{Name: name, Merge: "max"})
			}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				t := t.Prepared()
				for _, name := range names {
					_, _, _ = t.Column(name), t.ID(name), t.Takes(name)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/column")
		})
	}
}
