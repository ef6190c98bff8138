package health

import (
	"context"
	"slices"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

// News is what an apply would take up, or at least look at for the first time.
type News struct {
	Tables []string // that a dump brings which no apply has seen, and the mapping by its name
	Newest int64    // the greatest of these dumps
	// Unfinished are the tables whose last commit an interrupted apply left to be finished.
	Unfinished []string
}

// Wait says how long to wait for news, and how.
type Wait struct {
	Limit time.Duration
	Now   func() time.Time
	// Sleep waits, or returns the error of a context that ends.
	Sleep func(ctx context.Context, d time.Duration) error
}

const (
	lookAtLeast = time.Minute // how often the source is looked at
	looks       = 100         // at least, within the limit
)

// Wait waits until there is news, without a lock, and returns nil if none came in time.
// A source or state that is out of reach for a while ends it only with the time, unless it
// was so from the beginning.
func (r *Reader) Wait(ctx context.Context, w Wait) (*News, error) {
	end := w.Now().Add(w.Limit)
	for n := 0; ; n++ {
		news, err := r.news(ctx)
		if news != nil || ctx.Err() != nil || err != nil && (n == 0 || !dump.Unavailable(err)) {
			return news, err
		}
		left := end.Sub(w.Now())
		if left <= 0 {
			return nil, err
		}
		if err := w.Sleep(ctx, min(left, lookAtLeast, max(w.Limit/looks, time.Millisecond))); err != nil {
			return nil, err
		}
	}
}

// news finds what no apply has seen, nil if there is nothing.
func (r *Reader) news(ctx context.Context) (*News, error) {
	snap, listing, err := r.listing(ctx)
	if err != nil {
		return nil, err
	}
	if len(snap.Publishes) > 0 {
		out := &News{}
		for _, p := range snap.Publishes {
			out.Unfinished = append(out.Unfinished, p.Table)
		}
		return out, nil
	}
	p := &planner.Session{Planner: &planner.Planner{Ask: r.Ask}, Snap: snap, Listing: listing}
	planner.HoldManifests(p) // what is held is none
	seen := collect(r.Ask, p.Listing, snap)
	fields, err := r.fields(ctx, snap, seen)
	if err != nil {
		return nil, err
	}
	exact := exactTables(r.Ask)
	takes := func(name string) bool {
		return name == feed.TableMapping || r.Ask.Targeted(name) && taken(r.Ask, name, exact[name], seen.tables[name], fields[name], snap.Tables[name])
	}
	var out *News
	for _, b := range seen.backlogs() {
		if !isNew(b, snap) || !takes(b.Table) {
			continue
		}
		if out == nil {
			out = &News{}
		}
		out.Tables, out.Newest = append(out.Tables, b.Table), max(out.Newest, b.Newest)
	}
	return out, nil
}

// isNew reports whether more waits than the last apply saw.
func isNew(b Backlog, snap *state.Snapshot) bool {
	i := slices.IndexFunc(snap.Waiting.Tables, func(w state.WaitingTable) bool { return w.Table == b.Table })
	return i < 0 || b.Dumps > snap.Waiting.Tables[i].Unapplied || b.Newest > snap.Waiting.Tables[i].Newest
}

// Sleep waits by the clock of the machine.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
