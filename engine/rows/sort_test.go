package rows

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"reconcile/engine/rules"
)

// wide is rows of n users whose ids and partitions are of so many bits.
func wide(r *rand.Rand, n, userBits, partBits int) []rules.Row {
	rs := make([]rules.Row, n)
	for i := range rs {
		rs[i] = rules.Row{Raw: int64(r.Uint64()) >> (64 - userBits), Part: int64(r.Uint64()) >> (64 - partBits),
			Key: r.Int64N(4), Ver: r.Uint64N(4), At: uint32(i)}
		switch r.IntN(20) {
		case 0:
			rs[i].Part = rules.NullPart
		case 1:
			rs[i].Raw = []int64{math.MinInt64, math.MaxInt64, 0, -1}[r.IntN(4)]
		}
	}
	return rs
}

// Rows of all ranges of ids and partitions are sorted as Compare orders them.
func TestSortRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, sortFew - 1, sortFew, 3000} {
		for _, user := range []int{1, 8, 20, 53, 64} {
			for _, part := range []int{1, 4, 10, 64} {
				rs := wide(r, n, user, part)
				if r.IntN(2) == 0 { // without the ends of the range
					rs = slices.DeleteFunc(rs, func(x rules.Row) bool { return x.Raw == math.MinInt64 || x.Raw == math.MaxInt64 })
				}
				want := slices.Clone(rs)
				slices.SortFunc(want, rules.CompareRows)
				sortRows(rs)
				same := func(a, b rules.Row) bool { return rules.CompareRows(a, b) == 0 }
				if !slices.EqualFunc(rs, want, same) {
					t.Fatalf("%d rows with users of %d and partitions of %d bits are not sorted", n, user, part)
				}
				seen := map[uint32]bool{}
				for _, x := range rs {
					seen[x.At] = true
				}
				if len(seen) != len(rs) {
					t.Fatalf("%d of %d rows are left", len(seen), len(rs))
				}
			}
		}
	}
}

func BenchmarkSortRows(b *testing.B) {
	for _, user := range []int{20, 53} {
		b.Run(fmt.Sprintf("bits=%d", user), func(b *testing.B) {
			rs := wide(rand.New(rand.NewPCG(1, 2)), 300_000, user, 6)
			rs = slices.DeleteFunc(rs, func(x rules.Row) bool { return x.Raw == math.MinInt64 || x.Raw == math.MaxInt64 })
			work := make([]rules.Row, len(rs))
			b.ResetTimer()
			for range b.N {
				copy(work, rs)
				sortRows(work)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rs)), "ns/row")
		})
	}
}
