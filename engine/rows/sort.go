package rows

import (
	"math"
	"math/bits"
	"slices"
)

// sortEntry stands for a row while rows are sorted: key orders by (partition, raw
// user), as far as 64 bits do.
type sortEntry struct {
	key uint64
	at  uint32
}

// sortFew is how many rows are sorted by comparing them.
const sortFew = 512

// sortRows sorts rows as Compare orders them: by the digits of their partition and
// raw user first, which touches each row few times, then by comparing those that
// are equal there.
func sortRows(rs []Row) {
	if len(rs) < sortFew {
		slices.SortFunc(rs, Compare)
		return
	}
	entries, width := sortEntries(rs)
	entries = radixSort(entries, width)
	permute(rs, entries)
	for lo := 0; lo < len(rs); {
		hi := lo + 1
		for hi < len(rs) && entries[hi].key == entries[lo].key {
			hi++
		}
		if hi > lo+1 {
			slices.SortFunc(rs[lo:hi], Compare)
		}
		lo = hi
	}
}

// sortEntries returns the entries of rows, and how many bits of their keys are in
// use.
func sortEntries(rs []Row) (entries []sortEntry, width int) {
	least, most := rs[0].Raw, rs[0].Raw
	first, last := int64(math.MaxInt64), int64(math.MinInt64) // of the partitions but NullPart
	for i := range rs {
		least, most = min(least, rs[i].Raw), max(most, rs[i].Raw)
		if part := rs[i].Part; part != NullPart {
			first, last = min(first, part), max(last, part)
		}
	}
	rawBits, partBits := bits.Len64(uint64(most)-uint64(least)), 0
	if first <= last {
		partBits = bits.Len64(uint64(last) - uint64(first) + 1)
	}
	cut := min(max(rawBits+partBits-64, 0), rawBits)
	entries = make([]sortEntry, len(rs))
	for i := range rs {
		r, rank := &rs[i], uint64(0)
		if r.Part != NullPart {
			rank = uint64(r.Part) - uint64(first) + 1
		}
		entries[i] = sortEntry{rank<<(rawBits-cut) | (uint64(r.Raw)-uint64(least))>>cut, uint32(i)}
	}
	return entries, rawBits - cut + partBits
}

// radixBits is how many bits a pass of radixSort sorts by.
const radixBits = 11

// radixSort sorts entries by the low width bits of their keys, stably.
func radixSort(entries []sortEntry, width int) []sortEntry {
	other := make([]sortEntry, len(entries))
	for shift := 0; shift < width; shift += radixBits {
		var next [1 << radixBits]uint32
		for i := range entries {
			next[entries[i].key>>shift&(1<<radixBits-1)]++
		}
		at := uint32(0)
		for d, n := range next {
			next[d], at = at, at+n
		}
		for _, e := range entries {
			d := e.key >> shift & (1<<radixBits - 1)
			other[next[d]] = e
			next[d]++
		}
		entries, other = other, entries
	}
	return entries
}

// permute puts rows into the order of entries, whose places it uses up.
func permute(rs []Row, entries []sortEntry) {
	for i := range entries {
		if entries[i].at == uint32(i) {
			continue
		}
		first := rs[i]
		to := uint32(i)
		for {
			from := entries[to].at
			entries[to].at = to
			if from == uint32(i) {
				rs[to] = first
				break
			}
			rs[to] = rs[from]
			to = from
		}
	}
}
