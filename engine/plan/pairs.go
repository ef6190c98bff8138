package plan

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// pair is what two lists have under one key; nil where a list has nothing.
type pair[T any] struct{ was, now *T }

// pairs yields what two lists have under each key, in the order of the keys. A key is once
// in a list.
func pairs[K cmp.Ordered, T any](was, now []T, key func(*T) K) iter.Seq2[K, pair[T]] {
	return func(yield func(K, pair[T]) bool) {
		all := map[K]pair[T]{}
		for i := range was {
			all[key(&was[i])] = pair[T]{was: &was[i]}
		}
		for i := range now {
			k := key(&now[i])
			all[k] = pair[T]{all[k].was, &now[i]}
		}
		for _, k := range slices.Sorted(maps.Keys(all)) {
			if !yield(k, all[k]) {
				return
			}
		}
	}
}
