package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// namesFrom are n names of columns, the first with a number.
func namesFrom(first, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("c", first+i)
	}
	return out
}

// TestContractWidth: a table has up to 10,000 columns. What would bring more holds it from
// its dump on, whether a manifest lists them, the file of a dump has them, or several dumps
// have them together; the others go on.
func TestContractWidth(t *testing.T) {
	listed := []string{"event_id", "user_id", "a"}
	wide := func(n int) []string { return slices.Concat(listed, namesFrom(0, n-len(listed))) }
	part := avroPart("event_id user_id a", row(1, 7, "x"))
	bare := avroPart(strings.Join(wide(10_001), " "))
	for what, c := range map[string]struct {
		second []string // columns that the dump lists, nil for none
		first  int      // columns that the dump before lists
		bare   bool     // its file has 10,001 fields
		says   string
	}{
		"listed":      {wide(10_001), 3, false, "the manifest lists 10,001 columns for it, and a table may have 10,000"},
		"in the file": {nil, 3, true, "its records have 10,001 fields, and a table may have 10,000 columns"},
		"in all":      {slices.Concat(listed, namesFrom(20_000, 5)), 9_996, false, "the dump brings 5 columns, with which the table would have 10,001, and it may have 10,000"},
	} {
		t.Run(what, func(t *testing.T) {
			a := newBed(t, lakeTables)
			f := full("f", avroPart("event_id user_id", row(1, 7)))
			a.held(a.run(dumpOf(1, listedAs(full("e", part), wide(c.first)...), f)))
			second := more("e", avroPart("event_id user_id a", row(2, 7, "y")))
			if c.bare {
				second = more("e", bare)
			}
			if c.second != nil {
				second = listedAs(second, c.second...)
			}
			res := a.run(dumpOf(2, second, more("f", avroPart("event_id user_id", row(2, 7)))))
			a.held(res, "e 2 "+c.says)
			a.want("e", "event_id a", "1 x")
			a.want("f", "event_id", "1", "2")
			a.held(a.run(dumpOf(3, listedAs(more("e", avroPart("event_id user_id a", row(3, 7, "z"))), listed...))), "e 2 "+c.says)
			a.want("e", "event_id a", "1 x")
		})
	}
}

// TestContractMostColumns: 10,000 columns are taken, of two dumps together.
func TestContractMostColumns(t *testing.T) {
	a := newBed(t, lakeTables)
	half := slices.Concat([]string{"event_id", "user_id"}, namesFrom(0, 4_998))
	a.held(a.run(dumpOf(1, listedAs(full("e", avroPart("event_id user_id c1", row(1, 7, "x"))), half...))))
	all := slices.Concat(half, namesFrom(5_000, 5_000))
	a.held(a.run(dumpOf(2, listedAs(more("e", avroPart("event_id user_id c9999", row(2, 7, "y"))), all...))))
	a.want("e", "event_id c1 c9999", "1 x -", "2 - y")
	a.checkIdle()
}
