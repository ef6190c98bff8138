package radix

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// Keys of any width are sorted, also where only some of their bits differ, and
// equal ones stay in their order.
func TestSort(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		a := make([]Item, r.IntN(3000))
		mask, fixed := r.Uint64()>>r.IntN(65)&(r.Uint64()|^uint64(0)<<r.IntN(65)), r.Uint64()
		for i := range a {
			a[i] = Item{r.Uint64()&mask | fixed&^mask, uint32(i)}
		}
		want := slices.Clone(a)
		slices.SortStableFunc(want, func(x, y Item) int { return cmp.Compare(x.Key, y.Key) })
		if got := Sort(a, make([]Item, len(a)), mask); !slices.Equal(got, want) {
			t.Fatalf("%d keys with mask %x are not sorted", len(a), mask)
		}
	}
}
