package identity

import (
	"math"
	"slices"
	"sync/atomic"
)

// none is the link of an entry whose target is the end of the chain.
const none = math.MaxUint32

// What the resolver knows of an entry.
const (
	unseen = iota
	onPath // of the walk that is under way
	done
	looped // done, and its chain ends in a cycle
)

// resolver follows the chains of a mapping. Every entry is walked over twice,
// whatever the shape of the graph.
type resolver struct {
	m       *Mapping
	workers int
	next    []uint32 // entry whose source is this one's target
	state   []uint8
	pairs   []pair // per entry, until the identities are dropped
	loops   loops
}

// resolve returns the closure of m and what it found on the way.
func resolve(m *Mapping, workers int) (*Closure, loops) {
	r := resolver{m: m, workers: workers}
	r.link()
	r.state, r.pairs = make([]uint8, m.n), make([]pair, m.n)
	for i := range r.next {
		if r.state[i] == unseen {
			r.walk(uint32(i))
		}
	}
	for i, k := range r.next {
		if k != none && r.state[i] == done && r.m.to.at(int(k)) != r.m.from.at(int(k)) {
			r.loops.Chained++
		}
	}
	r.next, r.state = nil, nil
	kept := slices.DeleteFunc(r.pairs, func(p pair) bool { return p.Raw == p.Canon })
	return newClosure(kept, workers), r.loops
}

// link finds the successor of every entry. A self-map has none: it is the same
// as no entry at all.
func (r *resolver) link() {
	find := newFinder(r.m.n, 1, r.m.from.at)
	r.next = make([]uint32, r.m.n)
	var selfMaps atomic.Int64
	parallel(r.workers, len(r.m.from), func(b int) {
		selfMaps.Add(int64(r.linkBlock(&find, b)))
	})
	r.loops.SelfMaps = int(selfMaps.Load())
}

// linkBlock finds the successors of one block of entries and returns how many
// of these are self-maps.
func (r *resolver) linkBlock(find *finder, b int) (selfMaps int) {
	from := r.m.from
	first := b * blockLen
	next := r.next[first:min(first+blockLen, r.m.n)]
	for i := range next {
		id := r.m.to[b][i]
		next[i] = none
		if id == from[b][i] {
			selfMaps++
			continue
		}
		lo, end := find.around(id)
		for hi := end; lo < hi; {
			if mid := int(uint(lo+hi) >> 1); from.at(mid) < id {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo < end && from.at(lo) == id {
			next[i] = uint32(lo)
		}
	}
	return selfMaps
}

// walk resolves every entry on the way from entry i to a known end.
func (r *resolver) walk(i uint32) {
	last, j := i, i
	for j != none && r.state[j] == unseen {
		r.state[j] = onPath
		last, j = j, r.next[j]
	}
	end, mark := int64(0), uint8(done)
	switch {
	case j == none:
		end = r.m.to.at(int(last))
	case r.state[j] == onPath:
		end, mark = r.ring(j), looped
	default:
		end, mark = r.pairs[j].Canon, r.state[j]
	}
	for j = i; j != none && r.state[j] == onPath; j = r.next[j] {
		r.state[j] = mark
		r.pairs[j] = pair{Raw: r.m.from.at(int(j)), Canon: end}
	}
}

// ring reports the cycle that entry j is in and returns its smallest id.
func (r *resolver) ring(j uint32) int64 {
	var c Cycle
	for k := j; c.Size == 0 || k != j; k = r.next[k] {
		c.Size++
		id := r.m.from.at(int(k))
		if at, _ := slices.BinarySearch(c.Members, id); at < examples {
			c.Members = slices.Insert(c.Members, at, id)
			c.Members = c.Members[:min(len(c.Members), examples)]
		}
	}
	r.loops.cycle(c)
	return c.Members[0]
}
