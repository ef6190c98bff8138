// Package heaps keeps slices in the order of a heap, for merges of sorted
// sources: the first item is the least. Keys are numbers that stand in the
// items, so that comparing calls nothing.
package heaps

// Item is a source with the key that it is ordered by: High, then Low. Of is
// the caller's number of the source.
type Item struct {
	High, Low int64
	Of        int
}

func (a *Item) less(b *Item) bool {
	return a.High < b.High || a.High == b.High && a.Low < b.Low
}

// Make puts items into the order of a heap.
func Make(h []Item) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		down(h, i)
	}
}

// Fix puts the first item, whose key has grown or which is another one, where
// it belongs. Of an empty heap it does nothing.
func Fix(h []Item) { down(h, 0) }

// Pop returns the heap without its first item.
func Pop(h []Item) []Item {
	h[0] = h[len(h)-1]
	h = h[:len(h)-1]
	down(h, 0)
	return h
}

func down(h []Item, i int) {
	for {
		least := 2*i + 1
		if least >= len(h) {
			return
		}
		if r := least + 1; r < len(h) && h[r].less(&h[least]) {
			least = r
		}
		if !h[least].less(&h[i]) {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
