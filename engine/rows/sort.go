package rows

import (
	"math"
	"math/bits"
	"slices"

	"reconcile/engine/rules"
	"reconcile/internal/radix"
)

// sortFew is how many rows are sorted by comparing them.
const sortFew = 512

// sortRows sorts rows as Compare orders them: by the digits of their partition and
// raw user first, which touches each row few times, then by comparing those that
// are equal there.
func sortRows(rs []rules.Row) {
	if len(rs) < sortFew {
		slices.SortFunc(rs, rules.CompareRows)
		return
	}
	entries, width := sortEntries(rs)
	entries = radix.Sort(entries, make([]radix.Item, len(rs)), 1<<width-1)
	permute(rs, entries)
	for lo := 0; lo < len(rs); {
		hi := lo + 1
		for hi < len(rs) && entries[hi].Key == entries[lo].Key {
			hi++
		}
		if hi > lo+1 {
			slices.SortFunc(rs[lo:hi], rules.CompareRows)
		}
		lo = hi
	}
}

// sortEntries returns an entry for each row, whose key orders by (partition, raw
// user) as far as 64 bits do, and how many bits of the keys are in use.
func sortEntries(rs []rules.Row) (entries []radix.Item, width int) {
	least, most := rs[0].Raw, rs[0].Raw
	first, last := int64(math.MaxInt64), int64(math.MinInt64) // of the partitions but NullPart
	for i := range rs {
		least, most = min(least, rs[i].Raw), max(most, rs[i].Raw)
		if part := rs[i].Part; part != rules.NullPart {
			first, last = min(first, part), max(last, part)
		}
	}
	rawBits, partBits := bits.Len64(uint64(most)-uint64(least)), 0
	if first <= last {
		partBits = bits.Len64(uint64(last) - uint64(first) + 1)
	}
	cut := min(max(rawBits+partBits-64, 0), rawBits)
	entries = make([]radix.Item, len(rs))
	for i := range rs {
		r, rank := &rs[i], uint64(0)
		if r.Part != rules.NullPart {
			rank = uint64(r.Part) - uint64(first) + 1
		}
		entries[i] = radix.Item{Key: rank<<(rawBits-cut) | (uint64(r.Raw)-uint64(least))>>cut, At: uint32(i)}
	}
	return entries, rawBits - cut + partBits
}

// permute puts rows into the order of entries, whose places it uses up.
func permute(rs []rules.Row, entries []radix.Item) {
	for i := range entries {
		if entries[i].At == uint32(i) {
			continue
		}
		first := rs[i]
		to := uint32(i)
		for {
			from := entries[to].At
			entries[to].At = to
			if from == uint32(i) {
				rs[to] = first
				break
			}
			rs[to] = rs[from]
			to = from
		}
	}
}
