package rows

import (
	"errors"
	"math/rand/v2"
	"testing"

	"reconcile/engine/rules"
)

// segmentsOf makes sorted rows of one partition, of which some keys repeat.
func segmentsOf(segments, n int) []*Segment {
	r := rand.New(rand.NewPCG(1, 1))
	out := make([]*Segment, segments)
	for i := range out {
		var p EncodedRows
		p.Grow(n)
		p.Block(0)
		for range n {
			p.Add(rules.Row{Raw: int64(r.IntN(n / 10)), Key: int64(r.IntN(segments * n)), Ver: r.Uint64()})
		}
		out[i] = p.Seal()
	}
	return out
}

// BenchmarkMerge merges the rows of twenty segments.
func BenchmarkMerge(b *testing.B) {
	const segments, n = 20, 5_000
	list := segmentsOf(segments, n)
	b.ReportAllocs()
	for b.Loop() {
		var cursors []Cursor
		for _, s := range list {
			cursors = append(cursors, s.Open(0))
		}
		got := 0
		if err := Merge(b.Context(), cursors, func(*Chunk, int) error { got++; return nil }); err != nil || got != segments*n {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(segments*n), "ns/row")
}

// BenchmarkDecider judges the rows of twenty segments.
func BenchmarkDecider(b *testing.B) {
	const segments, n = 20, 5_000
	list, dir := segmentsOf(segments, n), b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		d := NewDecider(dir, segments*n, func(u int64) int64 { return u }, func(uint64, rules.Verdict) {})
		for _, s := range list {
			if err := d.AddSegment(s.Rows(), func(i int) uint64 { return uint64(i) }); err != nil {
				b.Fatal(err)
			}
		}
		if err := errors.Join(d.Decide(1, func() {}), d.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(segments*n), "ns/row")
}
