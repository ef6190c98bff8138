package identity

import "math/bits"

// hints tells of most ids at once that no pair has them, as few ids do. It is a bit
// of each of 8 to 16 for a pair.
type hints struct {
	set   []uint64
	shift int
}

func newHints(pairs []Pair) hints {
	b := max(bits.Len(uint(len(pairs)))+3, 6)
	h := hints{set: make([]uint64, 1<<(b-6)), shift: 64 - b}
	for _, p := range pairs {
		at := h.place(p.Raw)
		h.set[at/64] |= 1 << (at % 64)
	}
	return h
}

func (h *hints) place(id int64) uint64 { return uint64(id) * 0x9e3779b97f4a7c15 >> h.shift }

// has reports whether a pair may have id.
func (h *hints) has(id int64) bool {
	at := h.place(id)
	return h.set[at/64]>>(at%64)&1 != 0
}
