package plan

import (
	"fmt"
	"maps"
	"slices"
)

// Difference is a table of which two plans do not say the same.
type Difference struct {
	Table string
	// What names the inputs that differ, for people; never empty.
	What []string
}

// Compare says of which tables two plans differ in what their digests are of, by name,
// and in what. It fails with ErrNoInputs where one of them has no inputs.
func Compare(a, b *Plan) ([]Difference, error) {
	was, now := a.byName(), b.byName()
	names := slices.Sorted(maps.Keys(was))
	for name := range now {
		if was[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []Difference
	for _, name := range names {
		what, err := compareTables(was[name], now[name])
		if err != nil {
			return nil, err
		}
		if len(what) > 0 {
			out = append(out, Difference{name, what})
		}
	}
	return out, nil
}

func (p *Plan) byName() map[string]*Table {
	out := make(map[string]*Table, len(p.Tables))
	for _, t := range p.Tables {
		out[t.Name] = t
	}
	return out
}

func compareTables(a, b *Table) ([]string, error) {
	switch {
	case a == nil:
		return []string{"the table was not in the plan"}, nil
	case b == nil:
		return []string{"the table is not in the plan any more"}, nil
	}
	was, err := a.Digest()
	if err != nil {
		return nil, err
	}
	now, err := b.Digest()
	if err != nil || was == now {
		return nil, err
	}
	what := compareInputs(a.Inputs, b.Inputs)
	if len(what) == 0 {
		what = append(what, "the steps")
	}
	return what, nil
}

// compareInputs names what differs of two tables' inputs.
func compareInputs(a, b *Inputs) (what []string) {
	note := func(differs bool, format string, args ...any) {
		if differs {
			what = append(what, fmt.Sprintf(format, args...))
		}
	}
	note(a.Definition != b.Definition, "the configuration")
	note(a.Commit != b.Commit, "the commit of the table: %d, it was %d", b.Commit, a.Commit)
	note(a.Applied != b.Applied, "the applied dumps")
	what = append(what, comparePending(a.Pending, b.Pending)...)
	note(!same(a.Mapping, b.Mapping), "the user mapping")
	return append(what, compareSinks(a.Sinks, b.Sinks)...)
}

func comparePending(a, b []Delivery) (what []string) {
	was, now := map[int64]Delivery{}, map[int64]Delivery{}
	ids := map[int64]bool{}
	for _, d := range a {
		was[d.Dump], ids[d.Dump] = d, true
	}
	for _, d := range b {
		now[d.Dump], ids[d.Dump] = d, true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		x, had := was[id]
		y, has := now[id]
		switch {
		case !had:
			what = append(what, fmt.Sprintf("dump %d is pending", id))
		case !has:
			what = append(what, fmt.Sprintf("dump %d is no longer pending", id))
		case x.Manifest != y.Manifest || len(x.Files) != len(y.Files):
			what = append(what, fmt.Sprintf("the manifest of dump %d", id))
		default:
			for i, f := range x.Files {
				if f.compared() != y.Files[i].compared() {
					what = append(what, fmt.Sprintf("the file %s of dump %d", y.Files[i].File, id))
				}
			}
		}
	}
	return what
}

func compareSinks(a, b []SinkInput) (what []string) {
	was, now := map[string]SinkInput{}, map[string]SinkInput{}
	roots := map[string]bool{}
	for _, s := range a {
		was[s.Root], roots[s.Root] = s, true
	}
	for _, s := range b {
		now[s.Root], roots[s.Root] = s, true
	}
	for _, root := range slices.Sorted(maps.Keys(roots)) {
		x, had := was[root]
		y, has := now[root]
		switch {
		case had != has:
			what = append(what, fmt.Sprintf("whether the sink at %s has the table", root))
		case x.Checked != y.Checked:
			what = append(what, fmt.Sprintf("whether the sink at %s was looked at", root))
		case x.Entry != y.Entry:
			what = append(what, fmt.Sprintf("the current.json of the sink at %s", root))
		case x.Listing != y.Listing:
			what = append(what, fmt.Sprintf("the files in the sink at %s", root))
		}
	}
	return what
}

func same[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
