package health

import (
	"slices"
	"strings"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

// usualOf is how many of a table's last deliveries tell how often it comes.
const usualOf = 30

// arrivals are what the dumps bring of one table, or of the mapping.
type arrivals struct {
	name      string
	last      Delivered
	at        int         // index of the last dump that brings it, among all that count
	gaps      []int       // dumps from one delivery to the next, the last ones
	columns   []string    // that manifests list of a table that was never applied; some stand more than once
	files     *dump.Entry // that lists some of its part files; nil if no manifest does
	unapplied int
	oldest    Delivered // of the unapplied ones
	newest    int64     // likewise
	problems  []problem

	applied []state.Applied
	next    int // index into applied
}

// problem is an entry of a manifest that holds its table.
type problem struct {
	Delivered
	reason string
}

// deliveries are what the dumps of a listing bring. What the configuration leaves out does
// not count.
type deliveries struct {
	tables  map[string]*arrivals
	mapping *arrivals // nil if none was delivered
	dumps   int       // that count
}

func collect(ask *planner.Request, l *dump.Listing, snap *state.Snapshot) *deliveries {
	out := &deliveries{tables: map[string]*arrivals{}}
	for _, d := range l.Dumps {
		if ask.Later(d.ID) {
			continue
		}
		for _, en := range d.Entries {
			if ask.Skipped(d.ID, en.Name) {
				continue
			}
			a := out.tables[en.Name]
			if a == nil {
				a = newArrivals(ask, l, en.Name, snap)
				out.tables[en.Name] = a
			}
			a.add(d, en, out.dumps)
		}
		out.dumps++
	}
	out.mapping = out.tables[feed.TableMapping]
	delete(out.tables, feed.TableMapping)
	return out
}

func newArrivals(ask *planner.Request, l *dump.Listing, name string, snap *state.Snapshot) *arrivals {
	a := &arrivals{name: name}
	switch t, m := snap.Tables[name], snap.Mapping; {
	case name == feed.TableMapping && m != nil && !ask.Withdrawn(l, m.Dump, name):
		a.applied = []state.Applied{{Dump: m.Dump}}
	case name != feed.TableMapping && t != nil:
		a.applied = t.Applied
	}
	return a
}

// add takes in what a dump, the at-th of all that count, brings.
func (a *arrivals) add(d *dump.Dump, en *dump.Entry, at int) {
	here := Delivered{d.ID, arrived(d)}
	if !a.last.none() {
		if len(a.gaps) == usualOf {
			a.gaps = slices.Delete(a.gaps, 0, 1)
		}
		a.gaps = append(a.gaps, at-a.at)
	}
	a.last, a.at = here, at
	if a.applied == nil {
		a.columns = append(a.columns, en.Fields...)
	}
	if a.applied == nil && !slices.Equal(en.Columns, a.columns[max(0, len(a.columns)-len(en.Columns)):]) {
		a.columns = append(a.columns, en.Columns...) // most dumps list the same
	}
	if en.Files.Len() > 0 && en.Fields == nil {
		a.files = en
	}
	if a.has(d.ID) {
		return
	}
	a.unapplied, a.newest = a.unapplied+1, d.ID
	if a.oldest.none() || here.At.Before(a.oldest.At) {
		a.oldest = here
	}
	if !en.Incremental && en.Problem == "" {
		a.problems = nil // it makes them void
	}
	if en.Problem != "" {
		a.problems = append(a.problems, problem{here, en.Problem})
	}
}

// has reports whether the table has a dump. Dumps are asked for in their order. Of the
// mapping the newest one makes all before it void.
func (a *arrivals) has(id int64) bool {
	for a.next < len(a.applied) && a.applied[a.next].Dump < id {
		a.next++
	}
	if a.name == feed.TableMapping {
		return a.next < len(a.applied)
	}
	return a.next < len(a.applied) && a.applied[a.next].Dump == id
}

// stopped says whether a table that came now and then is missing in the newest dumps for
// longer than ever in its last deliveries.
func (a *arrivals) stopped(dumps int) *Stopped {
	missing := dumps - 1 - a.at
	if len(a.gaps) == 0 || missing == 0 {
		return nil
	}
	if usual := slices.Max(a.gaps); missing >= usual {
		return &Stopped{Missing: missing, Usual: usual}
	}
	return nil
}

// Backlog is what a table, or the mapping by its name, has not applied of what was
// delivered.
type Backlog struct {
	Table  string
	Dumps  int
	Newest int64 // the greatest of them
}

// Backlogs lists, by table, what of a listing is not applied, whether or not the
// configuration takes the table.
func Backlogs(ask *planner.Request, l *dump.Listing, snap *state.Snapshot) []Backlog {
	return collect(ask, l, snap).backlogs()
}

func (d *deliveries) backlogs() []Backlog {
	var out []Backlog
	for _, a := range d.tables {
		if a.unapplied > 0 {
			out = append(out, Backlog{a.name, a.unapplied, a.newest})
		}
	}
	if m := d.mapping; m != nil && m.unapplied > 0 {
		out = append(out, Backlog{m.name, m.unapplied, m.newest})
	}
	slices.SortFunc(out, func(a, b Backlog) int { return strings.Compare(a.Table, b.Table) })
	return out
}

// unclear reports whether only the files of a table that was never applied tell whether
// the configuration takes it: a glob does if it has the keys of events, which manifests
// need not list.
func (a *arrivals) unclear(ask *planner.Request, exact bool) bool {
	return !exact && a.files != nil && !feed.HasEvents(a.columns) && ask.TakesEvents(a.name)
}

// taken reports whether the configuration takes a table. a is nil of a table that no
// manifest has; fields are those of one of its files, where the manifests are unclear, nil
// if it cannot be read.
func taken(ask *planner.Request, name string, exact bool, a *arrivals, fields []string, old *state.Table) bool {
	var known []string
	switch {
	case old != nil:
		known = []string{feed.UserID, old.Key}
	case len(a.columns) == 0 && a.files == nil: // nothing is known of it yet, and there is nothing to apply
		return false
	case a.unclear(ask, exact) && fields == nil:
		return true // the next plan says why it is held
	default:
		known = slices.Concat(a.columns, fields)
	}
	cfg, diags := ask.Config.Table(name, known)
	return cfg != nil || diags.HasErrors()
}

// arrived is when a dump arrived: when its manifest changed last.
func arrived(d *dump.Dump) time.Time { return d.Object.ModTime.UTC() }

// none reports whether d is no delivery.
func (d Delivered) none() bool { return d == Delivered{} }
