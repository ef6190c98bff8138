package identity

import "math/bits"

// finder narrows a search in a sorted list of ids to a few neighbours: it cuts
// the range of ids into equal buckets and knows where each begins. The range
// leaves out a thousandth at both ends, so that a few far-off ids do not spoil
// it; they fall into the outer buckets.
type finder struct {
	base   uint64
	shift  int
	starts []uint32
}

// newFinder makes a finder over n ids, key(i) <= key(i+1), with about
// perBucket of them in a bucket.
func newFinder(n, perBucket int, key func(int) int64) finder {
	if n == 0 {
		return finder{}
	}
	trim := n / 1024
	f := finder{base: ordered(key(trim))}
	span := ordered(key(n-1-trim)) - f.base
	f.shift = max(0, bits.Len64(span)-bits.Len(uint(n/perBucket)))
	buckets := int(span>>f.shift) + 1
	f.starts = make([]uint32, buckets+1)
	next, first := 0, uint64(0) // the bucket that begins next, and its least key
	for i := range n {
		for u := ordered(key(i)); next < buckets && u >= first; next++ {
			f.starts[next] = uint32(i)
			first = f.base + uint64(next+1)<<f.shift
		}
	}
	for ; next <= buckets; next++ {
		f.starts[next] = uint32(n)
	}
	return f
}

func (f *finder) bucket(id int64, buckets int) int {
	u := ordered(id)
	if u < f.base {
		return 0
	}
	if b := (u - f.base) >> f.shift; b < uint64(buckets) {
		return int(b)
	}
	return buckets - 1
}

// around returns the part [lo, hi) of the list where id is if it is there;
// every id before lo is smaller, every id from hi on is greater.
func (f *finder) around(id int64) (lo, hi int) {
	if len(f.starts) == 0 {
		return 0, 0
	}
	b := f.bucket(id, len(f.starts)-1)
	return int(f.starts[b]), int(f.starts[b+1])
}
