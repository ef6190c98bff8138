package column

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Gathering gives the selected values, whichever source's dictionary is taken
// over, and leaves every source what it was.
func TestColumnInto(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		srcs := make([]*Column, 1+r.IntN(4))
		var texts [][]string
		for s := range srcs {
			n := 1 + r.IntN(50)
			c, values := Column{}, make([]string, n)
			c.Reset()
			for i := range values {
				if values[i] = fmt.Sprint(r.IntN(20)); r.IntN(5) == 0 {
					values[i] = ""
					c.AppendNulls(1)
				} else {
					c.AppendBytes([]byte(values[i]))
				}
			}
			texts = append(texts, values)
			if srcs[s] = &c; r.IntN(6) == 0 {
				srcs[s] = nil
			}
		}
		into := r.IntN(len(srcs)+1) - 1
		var g Gatherer
		for range 3 { // a source is often gathered in several parts
			selection := make([]SourceRow, r.IntN(100))
			for i := range selection {
				s := r.IntN(len(srcs))
				selection[i] = SourceRow{uint32(s), uint32(r.IntN(len(texts[s])))}
			}
			var dst Column
			g.ColumnInto(&dst, srcs, selection, into)
			for i, p := range selection {
				want := texts[p.Src][p.Row]
				if srcs[p.Src] == nil {
					want = ""
				}
				if got := string(dst.Bytes(i)); got != want || dst.IsNull(i) != (want == "") {
					t.Fatalf("seed %d, into %d: row %d is %q, want %q", seed, into, i, got, want)
				}
			}
		}
		for s, c := range srcs {
			for i, want := range texts[s] {
				if c != nil && string(c.Bytes(i)) != want {
					t.Fatalf("seed %d: source %d changed", seed, s)
				}
			}
		}
	}
}
