package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/engine/planner"
	"reconcile/state"
)

const (
	// reportsSince is how long ago a report may have changed for it to be read, and
	// reportsAtLeast how many of the last changed ones are read in any case.
	reportsSince   = 14 * 24 * time.Hour
	reportsAtLeast = 20
)

// Reader reads what health is judged from.
type Reader struct {
	Ask    *planner.Request
	Source *dump.Source
	Store  *state.Store
}

// Options are what a command asks of a judgement.
type Options struct {
	MaxAge time.Duration // 0 for what the last success says
	Limits []Limit
}

// Read says how syncs and applies are doing at a moment. The reports are read while the
// state and the manifests are.
func (r *Reader) Read(ctx context.Context, o Options, now time.Time) (_ *Health, err error) {
	in := Input{Ask: r.Ask, MaxAge: o.MaxAge, Limits: slices.Clone(o.Limits)}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		in.Reports, err = r.Source.SyncReports(gctx, now.Add(-max(reportsSince, o.MaxAge)), reportsAtLeast)
		return err
	})
	g.Go(func() (err error) {
		if in.Snap, in.Listing, err = r.listing(gctx); err != nil {
			return err
		}
		in.seen = collect(r.Ask, in.Listing, in.Snap)
		in.Fields, err = r.fields(gctx, in.Snap, in.seen)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return Judge(in, now), nil
}

// listing loads the state, and lists the source by what the state knows of manifests.
func (r *Reader) listing(ctx context.Context) (_ *state.Snapshot, _ *dump.Listing, err error) {
	snap, err := r.Store.Load(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	p := &planner.Session{Planner: &planner.Planner{Ask: r.Ask, Source: r.Source, Objects: r.Store}, Snap: snap}
	if err := planner.ListSource(ctx, p); err != nil {
		return nil, nil, err
	}
	return snap, p.Listing, nil
}

// fieldsAtOnce hides the latency of a source behind a network.
const fieldsAtOnce = 16

// fields reads the header of one file of each table of which the manifests do not tell
// whether the configuration takes it.
func (r *Reader) fields(ctx context.Context, snap *state.Snapshot, seen *deliveries) (map[string][]string, error) {
	var mu sync.Mutex
	out, exact := map[string][]string{}, exactTables(r.Ask)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fieldsAtOnce)
	for name, a := range seen.tables {
		if snap.Tables[name] != nil || !a.unclear(r.Ask, exact[name]) {
			continue
		}
		g.Go(func() error {
			key, err := a.files.Files.Cursor().Next()
			if err != nil {
				return fmt.Errorf("table %s: %w", name, err)
			}
			h, err := partfile.Header(gctx, r.Source, key)
			if dump.Unavailable(err) {
				return fmt.Errorf("table %s: %w", name, err)
			}
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				out[name] = append([]string{}, partfile.FieldNames(h)...)
			}
			return nil
		})
	}
	return out, g.Wait()
}
