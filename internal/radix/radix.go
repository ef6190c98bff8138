// Package radix sorts by 64-bit keys without comparing them.
package radix

// Item is a key to sort by and the place that it came from.
type Item struct {
	Key uint64
	At  uint32
}

// digit is how many bits a pass sorts by.
const digit = 11

// Sort sorts a by key and keeps the order of equal keys. Spare is as long as
// a; the result is in one of the two. Differ has all bits in which keys differ.
func Sort(a, spare []Item, differ uint64) []Item {
	for shift := 0; shift < 64; shift += digit {
		if differ>>shift&(1<<digit-1) != 0 { // else all keys agree here
			a, spare = pass(a, spare, shift), a
		}
	}
	return a
}

// pass sorts a into spare, which it returns, by one digit of the keys.
func pass(a, spare []Item, shift int) []Item {
	var next [1 << digit]uint32
	for i := range a {
		next[a[i].Key>>shift&(1<<digit-1)]++
	}
	at := uint32(0)
	for d, n := range next {
		next[d], at = at, at+n
	}
	for _, x := range a {
		d := x.Key >> shift & (1<<digit - 1)
		spare[next[d]] = x
		next[d]++
	}
	return spare
}
