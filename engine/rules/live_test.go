package rules

import (
	"math"
	"slices"
	"testing"
)

// TestLive has what each of its callers passes: the dumps that a plan keeps and takes,
// those of a rebuild, those that a plan has after it was cut short, and those of a run.
func TestLive(t *testing.T) {
	full := func(id int64) Dump { return Dump{ID: id, Full: true} }
	more := func(id int64) Dump { return Dump{ID: id} }
	for _, c := range []struct {
		name  string
		dumps []Dump
		want  Floor
		rows  []int64 // dumps that bring rows that count
	}{
		{"no dump", nil, AllLive, nil},
		{"never a resync", []Dump{more(1), more(2)}, AllLive, []int64{1, 2}},
		{"the smallest id", []Dump{more(math.MinInt64), more(2)}, AllLive, []int64{math.MinInt64, 2}},
		{"the latest resync, itself included", []Dump{full(1), more(2), full(3), more(4)}, 3, []int64{3, 4}},
		{"in any order", []Dump{more(4), full(3), full(1), more(2)}, 3, []int64{4, 3}},
		{"all void but the resync", []Dump{more(1), more(2), full(3)}, 3, []int64{3}},
		{"a plan: a resync that the table keeps and one that comes", []Dump{full(2), more(3), full(5), more(6)}, 5, []int64{5, 6}},
		{"a plan: a held resync makes nothing void", []Dump{full(2), more(3), {ID: 5, Full: true, Held: true}}, 2, []int64{2, 3}},
		{"a plan: a withdrawn resync made nothing void", []Dump{full(2), {ID: 4, Full: true, Withdrawn: true}, more(5)}, 2, []int64{2, 5}},
		{"a plan cut short: the resync behind the bad dump is not among its dumps", []Dump{full(2), more(3)}, 2, []int64{2, 3}},
		{"a rebuild: the lost dump's rows are gone, what it made void stays void", []Dump{more(1), {ID: 2, Full: true, Lost: true}, more(3)}, 2, []int64{3}},
		{"a rebuild: a lost dump that was incremental", []Dump{full(1), {ID: 2, Lost: true}, more(3)}, 1, []int64{1, 3}},
		{"a rebuild: withdrawn and lost", []Dump{more(1), {ID: 2, Full: true, Lost: true, Withdrawn: true}}, AllLive, []int64{1}},
		{"a run: a skipped dump has neither rows nor flag", []Dump{full(1), {ID: 2, Full: true, Skipped: true}, more(3)}, 1, []int64{1, 3}},
		{"a run: a late resync below the floor", []Dump{full(5), more(6), full(3)}, 5, []int64{5, 6}},
		{"a run whose resync is above all that the table has", []Dump{more(1), full(2), full(7)}, 7, []int64{7}},
	} {
		floor := Live(c.dumps)
		if floor != c.want {
			t.Errorf("%s: rows count from dump %d, want %d", c.name, floor, c.want)
		}
		var rows []int64
		for _, d := range c.dumps {
			if d.Brings(floor) {
				rows = append(rows, d.ID)
			}
		}
		if !slices.Equal(rows, c.rows) {
			t.Errorf("%s: rows of %v count, want %v", c.name, rows, c.rows)
		}
	}
}

func TestFloor(t *testing.T) {
	for _, c := range []struct {
		floor        Floor
		dump         int64
		live, before bool
	}{
		{5, 4, false, false}, {5, 5, true, false}, {5, 6, true, true},
		{AllLive, math.MinInt64, true, false}, {AllLive, -1, true, true}, {AllLive, math.MaxInt64, true, true},
	} {
		if live, before := c.floor.Live(c.dump), c.floor.Before(c.dump); live != c.live || before != c.before {
			t.Errorf("floor %d, dump %d: live %v, behind the floor %v", c.floor, c.dump, live, before)
		}
	}
}

// TestLatestResync: the resync of the smallest id is one, though it makes nothing void.
func TestLatestResync(t *testing.T) {
	if id, ok := LatestResync([]Dump{{ID: 3}, {ID: math.MinInt64, Full: true}}); id != math.MinInt64 || !ok {
		t.Errorf("dump %d, %v", id, ok)
	}
	if id, ok := LatestResync([]Dump{{ID: 3}, {ID: 4, Full: true, Held: true}}); ok {
		t.Errorf("dump %d is a resync", id)
	}
}
