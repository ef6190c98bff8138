package identity

import "slices"

// Ascending is a sorted list of ids that is asked in ascending order. It is for one
// goroutine.
type Ascending struct{ IDs []int64 }

// Has reports whether id is in the list. It is not less than those asked for before.
func (a *Ascending) Has(id int64) bool {
	for len(a.IDs) > 0 && a.IDs[0] < id {
		a.IDs = a.IDs[1:]
	}
	return len(a.IDs) > 0 && a.IDs[0] == id
}

// SortUnique sorts ids and leaves out those that repeat. It works in the list itself.
func SortUnique(ids []int64) []int64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ordered maps an id to an unsigned number of the same order.
func ordered(id int64) uint64 { return uint64(id) ^ 1<<63 }
