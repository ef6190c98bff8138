package health

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/inspect"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

const (
	// grace is how long after it was due the next success may come.
	grace = 6 * time.Hour
	// defaultMaxAge stands where nothing says when the next sync is due.
	defaultMaxAge = 30 * time.Hour
	// manifestWithin is how long after the end of a sync its manifest may come.
	manifestWithin = time.Hour
)

// Input is what health is judged from.
type Input struct {
	Ask     *planner.Request // what the configuration takes and leaves out
	Reports *dump.SyncReports
	Listing *dump.Listing
	Snap    *state.Snapshot
	// Fields are those of a file of each table of which the manifests do not tell whether
	// the configuration takes it. One that cannot be read is left out.
	Fields map[string][]string
	// MaxAge is what the command says; 0 if it says nothing.
	MaxAge time.Duration
	Limits []Limit

	seen *deliveries // what the listing brings, if that was found out before
}

// Judge says how syncs and applies were doing at a moment.
func Judge(in Input, now time.Time) *Health {
	j := &judge{in: in, Health: &Health{Now: now, Tables: []Table{}}}
	j.judgeSync()
	j.describeTables()
	j.describeMapping()
	j.listHolds()
	j.findLate()
	j.findWithoutManifest()
	j.findUnapplied()
	j.findHeld()
	j.findChecks()
	j.findStale()
	for _, p := range in.Snap.Publishes {
		j.Unfinished = append(j.Unfinished, p.Table)
	}
	return j.Health
}

// judge is a judgement in the making.
type judge struct {
	*Health
	in Input
	*deliveries
}

// age is how long ago something was.
func (j *judge) age(at time.Time) time.Duration { return max(0, j.Now.Sub(at)) }

func (j *judge) judgeSync() {
	s := &j.Sync
	s.Read, s.All, s.Broken = len(j.in.Reports.Reports), j.in.Reports.All, j.in.Reports.Broken
	for i := range j.in.Reports.Reports { // the newest first
		r := &j.in.Reports.Reports[i]
		if r.Succeeded {
			s.Success = r
			break
		}
		if s.Failure == nil && !r.Finish.IsZero() {
			s.Failure = r
		}
	}
	j.MaxAge, j.Basis = defaultMaxAge, Default
	switch {
	case j.in.MaxAge > 0:
		j.MaxAge, j.Basis = j.in.MaxAge, Given
	case s.Success != nil && s.Success.Next.After(s.Success.Finish):
		j.MaxAge, j.Basis = s.Success.Next.Add(grace).Sub(s.Success.Finish), NextDue
	}
}

func (j *judge) describeTables() {
	if j.deliveries = j.in.seen; j.deliveries == nil {
		j.deliveries = collect(j.in.Ask, j.in.Listing, j.in.Snap)
	}
	for _, d := range slices.Backward(j.in.Listing.Dumps) {
		if !j.in.Ask.Later(d.ID) {
			j.Newest = &Delivered{d.ID, arrived(d)}
			break
		}
	}
	exact := exactTables(j.in.Ask)
	names := maps.Clone(j.tables)
	for name := range j.in.Snap.Tables {
		if names[name] == nil {
			names[name] = nil
		}
	}
	if exact[feed.TableMapping] && j.mapping != nil {
		names[feed.TableMapping] = j.mapping
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a, old := names[name], j.in.Snap.Tables[name]; taken(j.in.Ask, name, exact[name], a, j.in.Fields[name], old) {
			j.Tables = append(j.Tables, j.describeTable(name, a, old))
		}
	}
}

// exactTables are those that blocks name without a glob.
func exactTables(ask *planner.Request) map[string]bool {
	out := map[string]bool{}
	for _, name := range ask.Config.ExactTables() {
		out[name] = true
	}
	return out
}

func (j *judge) describeTable(name string, a *arrivals, old *state.Table) Table {
	t := Table{Name: name}
	if a != nil {
		t.Last, t.Unapplied, t.Stopped = &a.last, a.unapplied, a.stopped(j.dumps)
		if a.unapplied > 0 {
			t.Oldest = &a.oldest
		}
	}
	if old != nil {
		t.Commit, t.Committed = old.Commit, state.Time(old.Committed)
		if old.HasMapping {
			t.Mapping = &old.MappingDump
		}
		if last := old.LastDelivery; len(old.Applied) > 0 && (t.Last == nil || t.Last.Dump < last) { // its dump is gone from the source
			t.Last = &Delivered{last, j.arrivalOf(last)}
		}
	}
	if name == feed.TableMapping {
		j.describeMappingTable(&t)
	}
	t.Behind = slices.ContainsFunc(j.in.Snap.Waiting.Tables, func(w state.WaitingTable) bool { return w.Table == name && w.Behind })
	if t.Behind && t.Oldest == nil {
		t.Oldest = j.mappingAfter(t.Mapping)
	}
	return t
}

// mappingAfter is the first mapping behind one that a table stands at, nil if none is in
// force.
func (j *judge) mappingAfter(at *int64) *Delivered {
	m := j.in.Snap.Mapping
	if m == nil {
		return nil
	}
	for _, d := range j.in.Listing.Dumps {
		if d.Entry(feed.TableMapping) != nil && (at == nil || d.ID > *at) && d.ID <= m.Dump {
			return &Delivered{d.ID, arrived(d)}
		}
	}
	return nil
}

// describeMappingTable describes user_migrations: it shows the mapping in force, and all
// before it are void.
func (j *judge) describeMappingTable(t *Table) {
	m := j.in.Snap.Mapping
	t.Unapplied, t.Oldest = 0, nil
	switch {
	case m != nil && (t.Mapping == nil || *t.Mapping != m.Dump):
		t.Unapplied, t.Oldest = 1, &Delivered{m.Dump, j.arrivalOf(m.Dump)}
	case j.mapping != nil && j.mapping.unapplied > 0:
		t.Unapplied, t.Oldest = 1, &j.mapping.last
	}
}

// arrivalOf is when a dump arrived, zero if neither the source nor the state tells.
func (j *judge) arrivalOf(id int64) time.Time {
	if d := j.in.Listing.Dump(id); d != nil {
		return arrived(d)
	}
	if d := j.in.Snap.Dumps[id]; d != nil {
		return state.Time(d.Arrived)
	}
	return time.Time{}
}

func (j *judge) describeMapping() {
	if m := j.in.Snap.Mapping; m != nil {
		j.Mapping.InForce = &m.Dump
	}
	a := j.mapping
	if a == nil {
		return
	}
	j.Mapping.Last, j.Mapping.Stopped = &a.last, a.stopped(j.dumps)
	if a.unapplied > 0 {
		j.Mapping.Waiting = &a.last
	}
}

// listHolds lists what waits, each once: what applies remembered, and what the manifests
// tell by themselves.
func (j *judge) listHolds() {
	for _, h := range inspect.Holds(j.in.Snap) {
		if h.Since.IsZero() { // it cannot be older than its dump
			h.Since = j.arrivalOf(h.Dump)
		}
		j.Holds = append(j.Holds, h)
	}
	j.holdManifests()
	for _, name := range slices.Sorted(maps.Keys(j.tables)) {
		for _, p := range j.tables[name].problems {
			if slices.ContainsFunc(j.Tables, func(t Table) bool { return t.Name == name }) {
				j.hold(plan.Hold{Table: name, Dump: p.Dump, Reason: p.reason}, p.At)
			}
		}
	}
	if j.mapping != nil {
		for _, p := range j.mapping.problems {
			j.hold(plan.Hold{Table: feed.TableMapping, Dump: p.Dump, Reason: p.reason}, p.At)
		}
	}
	slices.SortStableFunc(j.Holds, func(a, b inspect.Hold) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), cmp.Compare(a.Dump, b.Dump))
	})
	inspect.NameWaysPast(j.in.Ask.Config, j.Holds)
}

// hold adds what is held, unless it is known to be.
func (j *judge) hold(h plan.Hold, since time.Time) {
	hold := inspect.Hold{Hold: h, Since: since}
	if !slices.ContainsFunc(j.Holds, func(x inspect.Hold) bool { return x.Same(&hold) }) {
		j.Holds = append(j.Holds, hold)
	}
}

// holdManifests holds the dumps whose manifests cannot be taken.
func (j *judge) holdManifests() {
	changed := map[string]time.Time{}
	for _, p := range j.in.Listing.Problems {
		changed[strings.Join(p.Manifests, ", ")] = p.Changed.UTC()
	}
	for _, d := range j.in.Listing.Dumps {
		changed[d.Manifest] = arrived(d)
	}
	p := &planner.Session{Planner: &planner.Planner{Ask: j.in.Ask}, Snap: j.in.Snap, Listing: j.in.Listing}
	planner.HoldManifests(p)
	for _, h := range p.Holds {
		j.hold(h, changed[h.File])
	}
}
