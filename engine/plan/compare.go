package plan

import (
	"errors"
	"fmt"
	"slices"
)

// ErrOtherState says that two plans are of different states.
var ErrOtherState = errors.New("the plan is of another state")

// Difference is a table of which two plans do not say the same.
type Difference struct {
	Table string
	// What names the inputs that differ, for people; never empty.
	What []string
}

// Compare says of which tables a plan differs from an earlier one in what their digests are
// of, by name, and in what. A table that the earlier plan does not have and for which the
// other has nothing to do makes no difference. taken is how many steps of the earlier plan
// were committed since, by table: a table that has all of them makes no difference, and of
// one that has some only what the others are about is compared. It fails with ErrOtherState
// where the plans are of different states, and with ErrNoInputs where one of them has no
// inputs.
func Compare(was, now *Plan, taken map[string]int) ([]Difference, error) {
	if was.Lineage != now.Lineage {
		return nil, fmt.Errorf("%w: it is of lineage %q, and the state has %q", ErrOtherState, was.Lineage, now.Lineage)
	}
	var out []Difference
	for name, t := range pairs(was.Tables, now.Tables, func(t **Table) string { return (*t).Name }) {
		what, err := compareTables(t, taken[name])
		if err != nil {
			return nil, err
		}
		if len(what) > 0 {
			out = append(out, Difference{name, what})
		}
	}
	return out, nil
}

func compareTables(t pair[*Table], taken int) ([]string, error) {
	switch {
	case taken > 0 && taken >= len((*t.was).Steps):
		return nil, nil
	case t.was == nil && (*t.now).Action == None:
		return nil, nil
	case t.was == nil:
		return []string{"the table was not in the plan"}, nil
	case t.now == nil:
		return []string{"the table is not in the plan any more"}, nil
	}
	if taken > 0 {
		return compareRest(*t.was, *t.now, taken)
	}
	was, err := (*t.was).Digest()
	if err != nil {
		return nil, err
	}
	now, err := (*t.now).Digest()
	if err != nil || was == now {
		return nil, err
	}
	if what := compareInputs((*t.was).Inputs, (*t.now).Inputs); len(what) > 0 {
		return what, nil
	}
	return []string{"the steps"}, nil
}

// compareRest names what differs for the steps that are left of a table. What the steps
// before them changed is the table's commit, the dumps that it has, and its files; what a
// rebuild read again is not read once more.
func compareRest(was, now *Table, taken int) ([]string, error) {
	if was.Inputs == nil || now.Inputs == nil {
		return nil, fmt.Errorf("table %s: %w", was.Name, ErrNoInputs)
	}
	then, at := was.Inputs.clone(), now.Inputs.clone()
	then.Commit, then.Applied, then.Sinks = at.Commit, at.Applied, at.Sinks
	then.Pending = slices.DeleteFunc(then.Pending, func(d Delivery) bool {
		return !slices.ContainsFunc(was.Dumps, func(x DumpStep) bool { return x.Dump == d.Dump })
	})
	if what := compareInputs(then, at); len(what) > 0 {
		return what, nil
	}
	if !slices.EqualFunc(was.Steps[taken:], now.Steps, func(a, b Step) bool { return a.Kind == b.Kind }) {
		return []string{"the steps that are left"}, nil
	}
	return nil, nil
}

// compareInputs names what differs of two tables' inputs.
func compareInputs(was, now *Inputs) (what []string) {
	note := func(differs bool, format string, args ...any) {
		if differs {
			what = append(what, fmt.Sprintf(format, args...))
		}
	}
	note(was.Definition != now.Definition, "the configuration")
	note(was.Checks != now.Checks && len(was.Pending) > 0 && len(now.Pending) > 0, "the checks in the configuration")
	note(was.Commit != now.Commit, "the commit of the table: %d, it was %d", now.Commit, was.Commit)
	note(was.Applied != now.Applied, "the applied dumps")
	for id, d := range pairs(was.Pending, now.Pending, func(d *Delivery) int64 { return d.Dump }) {
		what = append(what, compareDeliveries(id, d)...)
	}
	note(!same(was.Mapping, now.Mapping), "the user mapping")
	for root, s := range pairs(was.Sinks, now.Sinks, func(s *SinkInput) string { return s.Root }) {
		what = append(what, compareSinks(root, s)...)
	}
	return what
}

func compareDeliveries(id int64, d pair[Delivery]) (what []string) {
	switch {
	case d.was == nil:
		return []string{fmt.Sprintf("dump %d is pending", id)}
	case d.now == nil:
		return []string{fmt.Sprintf("dump %d is no longer pending", id)}
	case d.was.Manifest != d.now.Manifest:
		return []string{fmt.Sprintf("the manifest of dump %d", id)}
	case len(d.was.Files) != len(d.now.Files):
		return []string{fmt.Sprintf("whether dump %d is read", id)}
	}
	for i, f := range d.was.Files {
		if f.compared() != d.now.Files[i].compared() {
			what = append(what, fmt.Sprintf("the file %s of dump %d", d.now.Files[i].File, id))
		}
	}
	return what
}

func compareSinks(root string, s pair[SinkInput]) []string {
	switch {
	case s.was == nil || s.now == nil:
		return []string{fmt.Sprintf("whether the sink at %s has the table", root)}
	case s.was.Checked != s.now.Checked:
		return []string{fmt.Sprintf("whether the sink at %s was looked at", root)}
	}
	var what []string
	if s.was.Entry != s.now.Entry {
		what = append(what, fmt.Sprintf("the current.json of the sink at %s", root))
	}
	if s.was.Listing != s.now.Listing {
		what = append(what, fmt.Sprintf("the files in the sink at %s", root))
	}
	return what
}

func same[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
