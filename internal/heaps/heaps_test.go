package heaps

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// A merge of sorted lists by a heap is sorted, whatever the keys are.
func TestMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	order := func(a, b Item) int { return cmp.Or(cmp.Compare(a.High, b.High), cmp.Compare(a.Low, b.Low)) }
	for range 300 {
		lists := make([][]Item, r.IntN(9))
		var want, heap, got []Item
		for i := range lists {
			for range 1 + r.IntN(20) {
				lists[i] = append(lists[i], Item{r.Int64N(5) - 2, r.Int64N(5) - 2, i})
			}
			slices.SortFunc(lists[i], order)
			want = append(want, lists[i]...)
			heap = append(heap, lists[i][0])
		}
		slices.SortFunc(want, order)
		for Make(heap); len(heap) > 0; {
			first := heap[0]
			got = append(got, first)
			if lists[first.Of] = lists[first.Of][1:]; len(lists[first.Of]) == 0 {
				heap = Pop(heap)
				continue
			}
			heap[0] = lists[first.Of][0]
			Fix(heap)
		}
		if !slices.EqualFunc(got, want, func(a, b Item) bool { return order(a, b) == 0 }) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
