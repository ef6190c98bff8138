package index

import (
	"cmp"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Entry says that a partition holds, or once held, a row of a raw user whose
// key has this hash.
type Entry struct {
	Raw  int64
	Part uint32 // ordinal of the partition
	Hash uint32 // KeyHash of the row's key
}

// Compare orders entries by raw user, partition and hash, the order of a run.
func Compare(a, b Entry) int {
	if a.Raw != b.Raw {
		return cmp.Compare(a.Raw, b.Raw)
	}
	return cmp.Compare(a.place(), b.place())
}

func (e Entry) place() uint64 { return uint64(e.Part)<<32 | uint64(e.Hash) }

// HashBits is how many bits of the hash of a key entries have. A hash tells keys
// of one canonical user apart: with 10,000 rows of one, a key meets another one's
// hash once in 1,600 times, which costs a read.
const HashBits = 24

// KeyHash returns the hash of a row's key in the low bits of the result: HashBits
// normally, fewer in tests that want false matches. Bits out of 1 to 32 count
// as the nearest of them.
func KeyHash(key int64, bits int) uint32 {
	h := uint64(key) + 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	return uint32(h >> (64 - min(max(bits, 1), 32)))
}

// Sort sorts entries in place into the order of Compare.
func Sort(e []Entry) { sortFrom(e, 0) }

// sortWith is Sort with that many goroutines.
func sortWith(e []Entry, workers int) {
	starts, ends, d, ok := spread(e, 0)
	if !ok {
		return
	}
	var g errgroup.Group
	g.SetLimit(max(workers, 1))
	for v, lo := range starts {
		g.Go(func() error {
			sortFrom(e[lo:ends[v]], d)
			return nil
		})
	}
	_ = g.Wait() // no error is possible
}

// smallSort is the length below which comparing beats counting.
const smallSort = 96

// sortFrom sorts entries that agree in the first d of their 16 bytes: in-place
// radix sort, most significant byte first.
func sortFrom(e []Entry, d int) {
	starts, ends, d, ok := spread(e, d)
	if !ok {
		return
	}
	for v, lo := range starts {
		if ends[v]-lo > 1 {
			sortFrom(e[lo:ends[v]], d)
		}
	}
}

// spread moves entries that agree in the first d bytes to buckets by the first byte
// in which they do not, and returns where these begin and end and how many bytes
// their entries agree in. It sorts the entries and returns false if they are few.
func spread(e []Entry, d int) (starts, ends [256]int, agreed int, ok bool) {
	for ; ; d++ {
		if len(e) < smallSort || d == 16 {
			slices.SortFunc(e, Compare)
			return starts, ends, d, false
		}
		ends = [256]int{}
		for _, x := range e {
			ends[x.digit(d)]++
		}
		if ends[e[0].digit(d)] < len(e) {
			break
		}
	}
	sum := 0
	for v, n := range ends {
		starts[v] = sum
		sum += n
		ends[v] = sum
	}
	permute(e, d, starts, ends)
	return starts, ends, d + 1, true
}

// permute moves every entry to the bucket of its byte d.
func permute(e []Entry, d int, next, ends [256]int) {
	for v := range next {
		for next[v] < ends[v] {
			x := e[next[v]]
			for to := x.digit(d); int(to) != v; to = x.digit(d) {
				x, e[next[to]] = e[next[to]], x
				next[to]++
			}
			e[next[v]] = x
			next[v]++
		}
	}
}

// digit returns byte d of the entry as an unsigned number of 128 bits.
func (e Entry) digit(d int) byte {
	if d < 8 {
		return byte((uint64(e.Raw) ^ 1<<63) >> (56 - 8*d))
	}
	return byte(e.place() >> (120 - 8*d))
}
