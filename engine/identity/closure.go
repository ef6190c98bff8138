package identity

import (
	"math/bits"
	"slices"
	"sort"
	"sync"

	"reconcile/internal/radix"
)

// pair is a raw id and the canonical id that it stands for.
type pair struct{ Raw, Canon int64 }

// Closure answers which canonical id a raw id stands for, and which raw ids
// stand behind a canonical one. Its content is immutable and it is safe for
// concurrent use; a nil Closure is the empty one, in which every id is its own.
type Closure struct {
	pairs   []pair // Raw != Canon, ascending by Raw
	byRaw   finder
	workers int // goroutines that sort pairs

	hinted sync.Once // guards the making of what only CanonAll needs
	hints  hints

	once    sync.Once // guards the making of what only appendMembers needs
	order   []uint32  // places in pairs, ascending by Canon, then Raw
	byCanon finder
}

func newClosure(pairs []pair, workers int) *Closure {
	raw := func(i int) int64 { return pairs[i].Raw }
	return &Closure{pairs: pairs, byRaw: newFinder(len(pairs), 2, raw), workers: workers}
}

// Moved returns the raw ids that stand for another one, ascending.
func (c *Closure) Moved() []int64 {
	if c == nil {
		return nil
	}
	out := make([]int64, len(c.pairs))
	for i, p := range c.pairs {
		out[i] = p.Raw
	}
	return out
}

func (c *Closure) groups() {
	c.once.Do(func() {
		c.order = orderByCanon(c.pairs, c.workers)
		c.byCanon = newFinder(len(c.pairs), 8, c.canonAt)
	})
}

func (c *Closure) canonAt(i int) int64 { return c.pairs[c.order[i]].Canon }

// Len returns the number of raw ids whose canonical id is another.
func (c *Closure) Len() int {
	if c == nil {
		return 0
	}
	return len(c.pairs)
}

// Canon returns the canonical id of raw: raw itself if no entry maps it.
func (c *Closure) Canon(raw int64) int64 {
	if c == nil {
		return raw
	}
	lo, end := c.byRaw.around(raw)
	for hi := end; lo < hi; {
		if mid := int(uint(lo+hi) >> 1); c.pairs[mid].Raw < raw {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < end && c.pairs[lo].Raw == raw {
		return c.pairs[lo].Canon
	}
	return raw
}

// CanonAll turns raw ids, of whom equal ones stand together, into canonical ones. It is
// faster than Canon where few are to become others, and for ids in ascending order.
func (c *Closure) CanonAll(ids []int64) {
	if c.Len() == 0 {
		return
	}
	c.hinted.Do(func() { c.hints = newHints(c.pairs) })
	for len(ids) > 0 {
		raw, n := ids[0], 1
		for n < len(ids) && ids[n] == raw {
			n++
		}
		if c.hints.has(raw) {
			if canon := c.Canon(raw); canon != raw {
				fill(ids[:n], canon)
			}
		}
		ids = ids[n:]
	}
}

func fill(ids []int64, id int64) {
	for i := range ids {
		ids[i] = id
	}
}

// appendMembers appends every id whose canonical id is canon, ascending: canon itself
// and the raw ids that map to it. It appends none if canon stands for another id.
// The first call, of a Closure, sorts its pairs.
func (c *Closure) appendMembers(dst []int64, canon int64) []int64 {
	if c == nil {
		return append(dst, canon)
	}
	c.groups()
	lo, end := c.byCanon.around(canon)
	lo += sort.Search(end-lo, func(i int) bool { return c.canonAt(lo+i) >= canon })
	if lo == end || c.canonAt(lo) != canon {
		if c.Canon(canon) == canon {
			dst = append(dst, canon)
		}
		return dst
	}
	placed := false
	for ; lo < len(c.order) && c.canonAt(lo) == canon; lo++ {
		raw := c.pairs[c.order[lo]].Raw
		if !placed && raw > canon {
			dst, placed = append(dst, canon), true
		}
		dst = append(dst, raw)
	}
	if !placed {
		dst = append(dst, canon)
	}
	return dst
}

// passLen is about how many pairs each goroutine of orderByCanon sorts at a time; it
// bounds the memory that the sort takes beside its result.
const passLen = 1 << 19

// orderByCanon returns the places of pairs, which are ascending by Raw, in
// ascending order of Canon, then Raw.
func orderByCanon(pairs []pair, workers int) []uint32 {
	order := make([]uint32, len(pairs))
	cuts := canonCuts(pairs)
	ends := make([]int, len(cuts)+1) // of the ranges, first their lengths
	for _, p := range pairs {
		ends[cutOf(cuts, p.Canon)+1]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	starts := slices.Clone(ends)
	for i, p := range pairs {
		c := cutOf(cuts, p.Canon)
		order[ends[c]] = uint32(i)
		ends[c]++
	}
	parallel(workers, len(cuts), func(i int) { sortPlaces(order[starts[i]:starts[i+1]], pairs) })
	return order
}

// sortPlaces sorts places, which are ascending, by Canon.
func sortPlaces(places []uint32, pairs []pair) {
	both := make([]radix.Item, 2*len(places))
	a, tmp := both[:len(places)], both[len(places):]
	differ := uint64(0)
	for i, at := range places {
		a[i] = radix.Item{Key: ordered(pairs[at].Canon), At: at}
		differ |= a[i].Key ^ a[0].Key
	}
	for i, it := range radix.Sort(a, tmp, differ) {
		places[i] = it.At
	}
}

// cutOf returns which range canon falls into. It is free of branches, as these
// would be mispredicted.
func cutOf(cuts []uint64, canon int64) int {
	below := uint64(0)
	for key, cuts := ordered(canon), cuts[1:]; len(cuts) > 0; cuts = cuts[1:] {
		_, borrow := bits.Sub64(key, cuts[0], 0)
		below += 1 - borrow
	}
	return int(below)
}

// canonCuts returns the lower bounds of ranges of canonical ids that hold about
// passLen pairs each, 32 ranges at most.
func canonCuts(pairs []pair) []uint64 {
	cuts := []uint64{0}
	passes := min(32, len(pairs)/passLen+1)
	if passes == 1 {
		return cuts
	}
	sample := make([]uint64, 0, 4096)
	for i := range cap(sample) {
		at := uint64(i) * uint64(len(pairs)) / uint64(cap(sample))
		sample = append(sample, ordered(pairs[at].Canon))
	}
	slices.Sort(sample)
	for i := 1; i < passes; i++ {
		if cut := sample[i*len(sample)/passes]; cut > cuts[len(cuts)-1] {
			cuts = append(cuts, cut)
		}
	}
	return cuts
}
