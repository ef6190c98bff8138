package engine

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys returns the keys of m in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// ascending is a sorted list of ids that is asked in ascending order.
type ascending struct{ ids []int64 }

// has reports whether id is in the list.
func (a *ascending) has(id int64) bool {
	for len(a.ids) > 0 && a.ids[0] < id {
		a.ids = a.ids[1:]
	}
	return len(a.ids) > 0 && a.ids[0] == id
}

// sortUnique sorts ids and leaves out those that repeat.
func sortUnique(ids []int64) []int64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}
