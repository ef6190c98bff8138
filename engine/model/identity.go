package model

import "math"

// choose returns one row per from_user_id: that of the greatest time, null
// lowest, then version. Self-maps are kept.
func choose(rows []record) map[int64]record {
	out := map[int64]record{}
	for _, r := range rows {
		old, ok := out[r.id("from_user_id")]
		c := compare("timestamp", r.vals["time"], old.vals["time"])
		if !ok || c > 0 || c == 0 && r.later(old) {
			out[r.id("from_user_id")] = r
		}
	}
	return out
}

// canonical returns the closure of the mapping that a dump delivers; nil has
// none.
func canonical(mapping *Dump, s Settings) map[int64]int64 {
	if mapping == nil {
		return nil
	}
	pairs := map[int64]int64{}
	rows, _ := split(read(mapping, migrations, mappingKeys, Plain{Unit: s.TimeUnit()}))
	for from, r := range choose(rows) {
		pairs[from] = r.id("to_user_id")
	}
	return closure(pairs)
}

// closure follows each user to the end of its chain. Self-maps count as none;
// all members of a cycle, and every tail into it, end at the cycle's smallest
// id. Users that stay what they are are left out.
func closure(pairs map[int64]int64) map[int64]int64 {
	out := map[int64]int64{}
	for from := range pairs {
		seen := map[int64]bool{}
		u := from
		for {
			to, ok := pairs[u]
			if !ok || to == u {
				break
			}
			if seen[u] {
				u = smallest(pairs, u)
				break
			}
			seen[u] = true
			u = to
		}
		if u != from {
			out[from] = u
		}
	}
	return out
}

// smallest returns the smallest id of the cycle that u is in.
func smallest(pairs map[int64]int64, u int64) int64 {
	least := int64(math.MaxInt64)
	for v, first := u, true; first || v != u; v, first = pairs[v], false {
		least = min(least, v)
	}
	return least
}

// canon applies a closure.
func canon(closure map[int64]int64, u int64) int64 {
	if to, ok := closure[u]; ok {
		return to
	}
	return u
}
