package identity

// item is a key to sort by and the place that it came from.
type item struct {
	key uint64
	idx uint32
}

// ordered maps an id to an unsigned number of the same order.
func ordered(id int64) uint64 { return uint64(id) ^ 1<<63 }

// sortItems sorts a by key and keeps the order of equal keys. tmp is as long
// as a; the result is in one of the two.
func sortItems(a, tmp []item) []item {
	var hist [8][256]uint32
	for _, it := range a {
		for d := range hist {
			hist[d][byte(it.key>>(8*d))]++
		}
	}
	for d := range hist {
		if len(a) == 0 || hist[d][byte(a[0].key>>(8*d))] == uint32(len(a)) {
			continue // all keys agree in this byte
		}
		h, sum := &hist[d], uint32(0)
		for v, c := range h {
			h[v] = sum
			sum += c
		}
		for _, it := range a {
			v := byte(it.key >> (8 * d))
			tmp[h[v]] = it
			h[v]++
		}
		a, tmp = tmp, a
	}
	return a
}
