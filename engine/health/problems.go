package health

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"reconcile/internal/feed"
)

// findLate finds that no sync succeeded for too long. Where the vendor leaves no reports,
// the newest manifest stands for the last success.
func (j *judge) findLate() {
	p := Problem{Kind: Late, Limit: j.MaxAge, Report: j.Sync.Success}
	switch {
	case j.Sync.Success != nil:
		p.Since = j.Sync.Success.Finish
	case j.Sync.All == 0:
		p.Since = j.newestManifest()
	}
	if !p.Since.IsZero() {
		if p.Age = j.age(p.Since); p.Age <= p.Limit {
			return
		}
	}
	j.Problems = append(j.Problems, p)
}

// newestManifest is when the newest manifest arrived, whether or not it can be taken.
func (j *judge) newestManifest() time.Time {
	var newest time.Time
	for _, d := range j.in.Listing.Dumps {
		if at := arrived(d); at.After(newest) {
			newest = at
		}
	}
	for _, p := range j.in.Listing.Problems {
		if p.Changed.After(newest) {
			newest = p.Changed.UTC()
		}
	}
	return newest
}

// findWithoutManifest finds that a sync succeeded, and that no manifest came from its
// start until well after its end. The newest of such an age is judged, so that syncs that
// follow each other closely are, too.
func (j *judge) findWithoutManifest() {
	for i := range j.in.Reports.Reports {
		r := &j.in.Reports.Reports[i]
		if !r.Succeeded || j.age(r.Finish) <= manifestWithin {
			continue
		}
		begin := r.Start
		if begin.IsZero() || begin.After(r.Finish) {
			begin = j.finishBefore(r.Finish)
		}
		if !begin.IsZero() && j.newestManifest().Before(begin.Truncate(time.Second)) { // stores keep whole seconds
			j.Problems = append(j.Problems, Problem{Kind: NoManifest, Since: r.Finish, Age: j.age(r.Finish), Limit: manifestWithin, Report: r})
		}
		return
	}
}

// finishBefore is when the sync before a time ended; zero if no report tells.
func (j *judge) finishBefore(at time.Time) time.Time {
	for _, r := range j.in.Reports.Reports {
		if r.Finish.Before(at) {
			return r.Finish
		}
	}
	return time.Time{}
}

// findUnapplied finds manifests that are too old for some table not to have applied them:
// of each table the oldest, and of the mapping the newest, as that voids the others.
func (j *judge) findUnapplied() {
	byDump := map[int64]*Problem{}
	note := func(table string, d *Delivered) {
		if d == nil || d.At.IsZero() || j.age(d.At) <= j.MaxAge {
			return
		}
		p := byDump[d.Dump]
		if p == nil {
			p = &Problem{Kind: Unapplied, Dump: &d.Dump, Since: d.At, Age: j.age(d.At), Limit: j.MaxAge}
			byDump[d.Dump] = p
		}
		if !slices.Contains(p.Tables, table) {
			p.Tables = append(p.Tables, table)
		}
	}
	for i := range j.Tables {
		note(j.Tables[i].Name, j.Tables[i].Oldest)
	}
	note(feed.TableMapping, j.Mapping.Waiting)
	for _, id := range slices.Sorted(maps.Keys(byDump)) {
		j.Problems = append(j.Problems, *byDump[id])
	}
}

// findHeld finds what is held for too long.
func (j *judge) findHeld() {
	for i := range j.Holds {
		h := &j.Holds[i]
		if h.Since.IsZero() || j.age(h.Since) <= j.MaxAge {
			continue
		}
		p := Problem{Kind: Held, Since: h.Since, Age: j.age(h.Since), Limit: j.MaxAge, Hold: &h.Hold}
		if h.Table != "" {
			p.Tables = []string{h.Table}
		}
		if h.Dump != 0 {
			p.Dump = &h.Dump
		}
		j.Problems = append(j.Problems, p)
	}
}

// findStale finds the tables whose last delivery is older than a check allows.
func (j *judge) findStale() {
	limits := slices.Clone(j.in.Limits)
	slices.SortFunc(limits, func(a, b Limit) int { return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.Table, b.Table)) })
	for _, l := range limits {
		last := j.lastDelivery(l.Table)
		p := Problem{Kind: Stale, Check: l.Check, Tables: []string{l.Table}, Limit: l.MaxAge}
		if last != nil {
			p.Dump, p.Since = &last.Dump, last.At
		}
		if !p.Since.IsZero() {
			if p.Age = j.age(p.Since); p.Age <= l.MaxAge {
				continue
			}
		}
		j.Problems = append(j.Problems, p)
	}
}

// lastDelivery is the last delivery of a table, nil if there is none.
func (j *judge) lastDelivery(table string) *Delivered {
	if i := slices.IndexFunc(j.Tables, func(t Table) bool { return t.Name == table }); i >= 0 {
		return j.Tables[i].Last
	}
	if table == feed.TableMapping {
		return j.Mapping.Last
	}
	return nil
}
