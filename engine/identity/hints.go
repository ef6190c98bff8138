package identity

import "math/bits"

// hints tells of most ids at once that no pair has them, as few ids do. It has a bit
// for each of 8 to 16 parts a pair of the range of ids, in their order: who asks for
// ids that ascend comes by each place once. As with a finder the ends of the range are
// left out.
type hints struct {
	base  uint64
	shift int
	last  uint64 // place
	set   []uint64
}

func newHints(pairs []pair) hints {
	n := len(pairs)
	trim := n / 1024
	h := hints{base: ordered(pairs[trim].Raw)}
	span := ordered(pairs[n-1-trim].Raw) - h.base
	h.shift = max(0, bits.Len64(span)-bits.Len(uint(n))-3)
	h.last = span >> h.shift
	h.set = make([]uint64, h.last/64+1)
	for _, p := range pairs {
		at := h.place(p.Raw)
		h.set[at/64] |= 1 << (at % 64)
	}
	return h
}

// place returns the bit of an id; what is beyond either end has the last one.
func (h *hints) place(id int64) uint64 { return min((ordered(id)-h.base)>>h.shift, h.last) }

// has reports whether a pair may have id.
func (h *hints) has(id int64) bool {
	at := h.place(id)
	return h.set[at/64]>>(at%64)&1 != 0
}
