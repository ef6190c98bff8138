package column

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkDictAdd adds a batch of values of which so many are distinct.
func BenchmarkDictAdd(b *testing.B) {
	const rows = 50_000
	for _, distinct := range []int{4, 100, 2000, rows} {
		b.Run(fmt.Sprintf("distinct=%d", distinct), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			values := make([][]byte, rows)
			for i := range values {
				v := i
				if distinct < rows {
					v = r.IntN(distinct)
				}
				values[i] = fmt.Appendf(nil, "a value %d", v)
			}
			d := NewDict()
			b.ReportAllocs()
			for b.Loop() {
				d.Reset()
				for _, v := range values {
					d.Add(v)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/value")
		})
	}
}
