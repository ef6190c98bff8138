package identity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mapping(rows ...Entry) (*Mapping, *Report) { return newWorld(rows).build() }

func TestChoice(t *testing.T) {
	at := func(to, time int64, v uint64) Entry {
		return Entry{From: 1, To: to, Time: time, HasTime: true, Version: v}
	}
	null := func(to int64, v uint64) Entry { return Entry{From: 1, To: to, Time: 99, Version: v} }
	for _, c := range []struct {
		name     string
		rows     []Entry
		to       int64
		conflict []Conflict
	}{
		{"one", []Entry{at(5, 1, 0)}, 5, nil},
		{"greater time", []Entry{at(5, 9, 0), at(6, 1, 1)}, 5, []Conflict{{1, 5, 6}}},
		{"null is lowest", []Entry{at(5, -7, 0), null(6, 1)}, 5, []Conflict{{1, 5, 6}}},
		{"version decides", []Entry{at(5, 1, 3), at(6, 1, 2)}, 5, []Conflict{{1, 5, 6}}},
		{"nulls by version", []Entry{null(5, 3), null(6, 4)}, 6, []Conflict{{1, 6, 5}}},
		{"repeat is no conflict", []Entry{at(5, 1, 0), at(5, 2, 1), null(5, 2)}, 5, nil},
		{"newest other target is named", []Entry{at(5, 1, 0), at(6, 2, 1), at(7, 3, 2), at(7, 9, 3)}, 7, []Conflict{{1, 7, 6}}},
		{"other target after repeats", []Entry{at(7, 3, 0), at(6, 2, 1), at(7, 1, 2), at(5, 1, 3)}, 7, []Conflict{{1, 7, 6}}},
		{"a newer other target takes over", []Entry{at(7, 9, 0), at(5, 1, 1), at(6, 2, 2)}, 7, []Conflict{{1, 7, 6}}},
		{"self-map can win", []Entry{at(5, 1, 0), at(1, 2, 1)}, 1, []Conflict{{1, 1, 5}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				m, rep := mapping(c.rows...)
				if m.Len() != 1 || m.From(0) != 1 || m.To(0) != c.to {
					t.Errorf("chose %d of %d entries, want target %d", m.To(0), m.Len(), c.to)
				}
				if d := cmp.Diff(c.conflict, rep.FirstConflicts); d != "" || rep.Conflicts != len(c.conflict) {
					t.Errorf("%d conflicts, diff %s", rep.Conflicts, d)
				}
				if got, want := m.Closure(2).Canon(1), c.to; got != want {
					t.Errorf("canon = %d, want %d", got, want)
				}
				slices.Reverse(c.rows) // the order of Add must not matter
			}
		})
	}
}

func TestTimesAreKept(t *testing.T) {
	m, _ := mapping(Entry{From: 2, To: 3, Time: 7, HasTime: true}, Entry{From: 1, To: 3, Time: 7})
	if _, ok := m.Time(0); ok {
		t.Error("a null time came back as a time")
	}
	if v, ok := m.Time(1); !ok || v != 7 {
		t.Errorf("time = %d, %v, want 7", v, ok)
	}
}

func TestCyclesAndTails(t *testing.T) {
	hop := func(from, to int64) Entry { return Entry{From: from, To: to} }
	m, rep := mapping(
		hop(3, 1), hop(1, -2), hop(-2, 3), hop(50, 3), hop(51, 50), // a ring of three with a tail
		hop(8, 9), hop(9, 8), // a ring of two
		hop(4, 4), hop(5, 4), // a self-map ends a chain
		hop(20, 21), hop(21, 22), // a chain of two hops
	)
	want := map[int64]int64{3: -2, 1: -2, -2: -2, 50: -2, 51: -2, 8: 8, 9: 8, 4: 4, 5: 4, 20: 22, 21: 22, 22: 22, 77: 77}
	for id, canon := range want {
		if got := m.Closure(2).Canon(id); got != canon {
			t.Errorf("canon(%d) = %d, want %d", id, got, canon)
		}
	}
	wantReport := &Report{Entries: 11, loops: loops{
		SelfMaps: 1, Cycles: 2, Chained: 1,
		FirstCycles: []Cycle{{3, []int64{-2, 1, 3}}, {2, []int64{8, 9}}},
	}}
	if d := cmp.Diff(wantReport, rep, cmp.AllowUnexported(Report{})); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
	if got := m.Closure(2).appendMembers(nil, -2); !slices.Equal(got, []int64{-2, 1, 3, 50, 51}) {
		t.Errorf("members(-2) = %v", got)
	}
	if got := m.Closure(2).appendMembers(nil, 3); len(got) != 0 {
		t.Errorf("members(3) = %v, but 3 stands for -2", got)
	}
}

func TestReportIsBounded(t *testing.T) {
	var rows []Entry
	for i := range int64(100) {
		a, b := 1000-2*i, 1001-2*i
		rows = append(rows, Entry{From: a, To: b}, Entry{From: b, To: a}, Entry{From: 5000 - i, To: 1}, Entry{From: 5000 - i, To: 2})
	}
	for i := range int64(1000) {
		rows = append(rows, Entry{From: 10000 + (i+1)%1000, To: 10000 + i})
	}
	_, rep := mapping(rows...)
	if rep.Cycles != 101 || rep.Conflicts != 100 || len(rep.FirstCycles) != examples || len(rep.FirstConflicts) != examples {
		t.Fatalf("report %+v", rep)
	}
	if got := rep.FirstCycles[0]; got.Size != 2 || got.Members[0] != 802 {
		t.Errorf("first cycle %+v, want the one of 802", got)
	}
	if got := rep.FirstConflicts[0].From; got != 4901 {
		t.Errorf("first conflict %d, want 4901", got)
	}
}

func TestAgainstNaiveWalk(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(randomRows(rng, 1+rng.IntN(120), 2+rng.IntN(80)))
		m, rep := w.build()
		if m.Len() != len(w.chosen) || rep.Conflicts != len(w.conflicts()) {
			t.Fatalf("seed %d: %d entries, %d conflicts, want %d and %d", seed, m.Len(), rep.Conflicts, len(w.chosen), len(w.conflicts()))
		}
		for i := range m.Len() {
			e := w.chosen[m.From(i)]
			if tm, ok := m.Time(i); m.To(i) != e.To || ok != e.HasTime || ok && tm != e.Time {
				t.Fatalf("seed %d: entry %d is %d -> %d", seed, i, m.From(i), m.To(i))
			}
		}
		checkClosure(t, fmt.Sprint("seed ", seed), w, m.Closure(2))
	}
}

func checkClosure(t *testing.T, name string, w *world, c *Closure) {
	t.Helper()
	moved := 0
	for _, id := range w.universe() {
		canon := w.canon(id)
		if got := c.Canon(id); got != canon {
			t.Fatalf("%s: canon(%d) = %d, want %d", name, id, got, canon)
		}
		if canon != id {
			moved++
		}
		if got, want := c.appendMembers(nil, id), w.members(id); !slices.Equal(got, want) {
			t.Fatalf("%s: members(%d) = %v, want %v", name, id, got, want)
		}
	}
	checkCanonAll(t, name, w, c)
	n, last := 0, int64(math.MinInt64)
	for _, p := range c.pairs {
		if p.Raw == p.Canon || n > 0 && p.Raw <= last || c.Canon(p.Raw) != p.Canon {
			t.Fatalf("%s: the pair %d, %d stands after %d", name, p.Raw, p.Canon, last)
		}
		n, last = n+1, p.Raw
	}
	if n != moved || c.Len() != moved {
		t.Fatalf("%s: %d pairs, Len %d, want %d", name, n, c.Len(), moved)
	}
}

// checkCanonAll asks for all ids at once: in order and repeated, and in any order.
func checkCanonAll(t *testing.T, name string, w *world, c *Closure) {
	t.Helper()
	var ids []int64
	for i, id := range w.universe() {
		for range i%3 + 1 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for shuffled := range 2 {
		if shuffled > 0 {
			rng := rand.New(rand.NewPCG(uint64(len(ids)), 2))
			rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		}
		got := slices.Clone(ids)
		c.CanonAll(got)
		for i, id := range ids {
			if got[i] != w.canon(id) {
				t.Fatalf("%s: all of %v become %v: %d is to be %d", name, ids, got, id, w.canon(id))
			}
		}
	}
}

func TestDiffAndExpand(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		ids := 2 + rng.IntN(40)
		older := newWorld(randomRows(rand.New(rand.NewPCG(seed, 9)), rng.IntN(40), ids))
		newer := newWorld(append(randomRows(rand.New(rand.NewPCG(seed, 9)), rng.IntN(40), ids), randomRows(rng, rng.IntN(4), ids)...))
		a, _ := older.build()
		b, _ := newer.build()
		all := append(older.universe(), newer.universe()...)
		var changed []int64
		for _, id := range sortUnique(slices.Clone(all)) {
			if older.canon(id) != newer.canon(id) {
				changed = append(changed, id)
			}
		}
		if got := Diff(a.Closure(2), b.Closure(2)); !slices.Equal(got, changed) {
			t.Fatalf("seed %d: diff %v, want %v", seed, got, changed)
		}
		var users []int64
		for range rng.IntN(4) {
			users = append(users, int64(rng.IntN(ids)))
		}
		if got, want := Expand(users, changed, a.Closure(2), b.Closure(2)), naiveExpand(users, changed, older, newer); !slices.Equal(got, want) {
			t.Fatalf("seed %d: expand %v, want %v", seed, got, want)
		}
	}
}

// naiveExpand is DESIGN "Deciding" word by word.
func naiveExpand(users, changed []int64, older, newer *world) []int64 {
	g := append(slices.Clone(users), changed...)
	for _, id := range slices.Clone(g) {
		g = append(g, newer.members(newer.canon(id))...)
	}
	for _, id := range changed {
		g = append(g, older.members(older.canon(id))...)
	}
	for _, id := range slices.Clone(g) {
		g = append(g, newer.members(newer.canon(id))...)
	}
	return sortUnique(g)
}

func TestEmpty(t *testing.T) {
	var none *Closure
	built, rep := NewBuilder().Build(2)
	for name, c := range map[string]*Closure{"nil": none, "zero mapping": (&Mapping{}).Closure(2), "built": built.Closure(2), "nil mapping": (*Mapping)(nil).Closure(2)} {
		if c.Canon(7) != 7 || c.Len() != 0 || !slices.Equal(c.appendMembers(nil, 7), []int64{7}) {
			t.Errorf("%s: not the identity", name)
		}
	}
	if built.Len() != 0 || rep.Entries != 0 {
		t.Errorf("empty builder made %d entries", built.Len())
	}
	some, _ := mapping(Entry{From: 3, To: 1})
	if got := Diff(nil, some.Closure(2)); !slices.Equal(got, []int64{3}) {
		t.Errorf("diff = %v", got)
	}
	if got := Diff(some.Closure(2), nil); !slices.Equal(got, []int64{3}) {
		t.Errorf("diff = %v", got)
	}
	if got := Expand([]int64{9}, []int64{3}, some.Closure(2), nil); !slices.Equal(got, []int64{1, 3, 9}) {
		t.Errorf("expand = %v", got)
	}
}

func TestExtremeIDs(t *testing.T) {
	m, _ := mapping(
		Entry{From: math.MaxInt64, To: math.MinInt64}, Entry{From: 0, To: math.MaxInt64},
		Entry{From: math.MinInt64 + 1, To: 0}, Entry{From: -1, To: math.MinInt64 + 1})
	for _, id := range []int64{math.MaxInt64, 0, math.MinInt64 + 1, -1, math.MinInt64} {
		if got := m.Closure(2).Canon(id); got != math.MinInt64 {
			t.Errorf("canon(%d) = %d", id, got)
		}
	}
	if got := m.Closure(2).appendMembers(nil, math.MinInt64); len(got) != 5 {
		t.Errorf("members %v", got)
	}
}

// TestLarge is about more entries than a chunk, one long chain, and ids that
// are spread unevenly.
func TestLarge(t *testing.T) {
	const n = 1_000_000
	b := NewBuilder()
	for i := range int64(n) {
		at := (i * 7919) % n // each once, out of order
		b.Add(Entry{From: at * at, To: (at + 1) * (at + 1), Version: uint64(i)})
		if at%100_000 == 0 {
			b.Add(Entry{From: at * at, To: -5, Version: uint64(i), Time: 1}) // null time: a tie that the version leaves to the target
		}
	}
	m, rep := b.Build(2)
	if m.Len() != n || rep.Chained != n-1 || rep.Conflicts != 10 {
		t.Fatalf("%d entries, report %+v", m.Len(), rep)
	}
	c := m.Closure(2)
	for i := int64(0); i <= n; i += 997 {
		if got := c.Canon(i * i); got != n*n {
			t.Fatalf("canon(%d) = %d", i*i, got)
		}
		if i > 1 && c.Canon(i*i+1) != i*i+1 {
			t.Fatalf("%d is mapped", i*i+1)
		}
	}
	if got := c.appendMembers(nil, n*n); len(got) != n+1 || !slices.IsSorted(got) {
		t.Fatalf("%d members", len(got))
	}
}
