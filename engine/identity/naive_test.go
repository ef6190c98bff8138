package identity

import (
	"math/rand/v2"
	"slices"
)

// world is the naive model: rows in a slice, answers from maps.
type world struct {
	rows   []Entry
	chosen map[int64]Entry
}

func newWorld(rows []Entry) *world {
	w := &world{rows: rows, chosen: map[int64]Entry{}}
	for _, e := range rows {
		old, ok := w.chosen[e.From]
		if !ok || naiveNewer(e, old) {
			w.chosen[e.From] = e
		}
	}
	return w
}

func naiveNewer(a, b Entry) bool {
	if a.HasTime != b.HasTime {
		return a.HasTime
	}
	if a.HasTime && a.Time != b.Time {
		return a.Time > b.Time
	}
	return a.Version > b.Version
}

// conflicts returns the sources with more than one target.
func (w *world) conflicts() map[int64]bool {
	seen, bad := map[int64]int64{}, map[int64]bool{}
	for _, e := range w.rows {
		if to, ok := seen[e.From]; ok && to != e.To {
			bad[e.From] = true
		}
		seen[e.From] = e.To
	}
	return bad
}

// canon walks as SPEC 2 says, hop by hop.
func (w *world) canon(id int64) int64 {
	seen := map[int64]bool{}
	for {
		e, ok := w.chosen[id]
		if !ok || e.To == id {
			return id
		}
		if seen[id] {
			return slices.Min(w.ring(id))
		}
		seen[id] = true
		id = e.To
	}
}

// ring returns the cycle that id is in, which must be in one.
func (w *world) ring(id int64) []int64 {
	ring := []int64{id}
	for k := w.chosen[id].To; k != id; k = w.chosen[k].To {
		ring = append(ring, k)
	}
	slices.Sort(ring)
	return ring
}

func (w *world) universe() []int64 {
	var ids []int64
	for _, e := range w.rows {
		ids = append(ids, e.From, e.To, e.From+1)
	}
	return sortUnique(ids)
}

func (w *world) members(canon int64) []int64 {
	var ids []int64
	for _, id := range append(w.universe(), canon) {
		if w.canon(id) == canon {
			ids = append(ids, id)
		}
	}
	return sortUnique(ids)
}

func (w *world) build() (*Mapping, *Report) {
	b := NewBuilder()
	for _, e := range w.rows {
		b.Add(e)
	}
	return b.Build(2)
}

// randomRows makes n rows over ids of a small range, so that chains, cycles,
// conflicts and self-maps all occur.
func randomRows(rng *rand.Rand, n, ids int) []Entry {
	spread := []int64{1, 1, 1 << 40, -1 << 50}[rng.IntN(4)]
	rows := make([]Entry, n)
	for i := range rows {
		rows[i] = Entry{
			From:    int64(rng.IntN(ids)-ids/3) * spread,
			To:      int64(rng.IntN(ids)-ids/3) * spread,
			Time:    int64(rng.IntN(4)),
			HasTime: rng.IntN(4) > 0,
			Version: uint64(i),
		}
	}
	return rows
}
