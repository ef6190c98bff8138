package identity

import "slices"

// Diff returns the raw ids whose canonical id differs between two closures,
// ascending.
func Diff(old, new *Closure) []int64 {
	var changed []int64
	var a, b []pair
	if old != nil {
		a = old.pairs
	}
	if new != nil {
		b = new.pairs
	}
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Raw < b[0].Raw:
			changed = append(changed, a[0].Raw)
			a = a[1:]
		case a[0].Raw > b[0].Raw:
			changed = append(changed, b[0].Raw)
			b = b[1:]
		default:
			if a[0].Canon != b[0].Canon {
				changed = append(changed, a[0].Raw)
			}
			a, b = a[1:], b[1:]
		}
	}
	for _, p := range a {
		changed = append(changed, p.Raw)
	}
	for _, p := range b {
		changed = append(changed, p.Raw)
	}
	return changed
}

// Expand returns every raw id whose rows can decide about a change: seed (the
// users of a delta) and changed (Diff of the closures) with their new groups,
// the old groups of changed, and the new groups of everyone so found. The
// result is ascending without duplicates; the inputs may be in any order.
func Expand(seed, changed []int64, old, new *Closure) []int64 {
	groups := make([]int64, 0, len(seed)+2*len(changed)) // new canonical ids
	for _, id := range seed {
		groups = append(groups, new.Canon(id))
	}
	before := make([]int64, 0, len(changed))
	for _, id := range changed {
		groups = append(groups, new.Canon(id))
		before = append(before, old.Canon(id))
	}
	var members []int64
	for _, canon := range sortUnique(before) {
		members = old.appendMembers(members[:0], canon)
		for _, id := range members {
			groups = append(groups, new.Canon(id))
		}
	}
	groups = sortUnique(groups)
	all := make([]int64, 0, len(groups)+len(groups)/4)
	for _, canon := range groups {
		all = new.appendMembers(all, canon)
	}
	slices.Sort(all)
	return all
}

func sortUnique(ids []int64) []int64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}
