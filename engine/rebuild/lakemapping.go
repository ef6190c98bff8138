package rebuild

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"reconcile/engine/identity"
	"reconcile/engine/planner"
	"reconcile/engine/rowfile"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// A mapping that the source no longer has can be told from what it did: the published
// user_migrations have all of it, and published rows of events have, beside their raw
// user, whom he stands for. The latter leaves out users without such rows.

// standFromLake is a mapping of the lake, as far as the tables at it tell it.
func (r *Rebuilder) standFromLake(ctx context.Context, sr *Plan, id int64) (*stand, error) {
	b := identity.NewBuilder()
	whole := false
	for _, rt := range sr.Tables {
		if rt.plan.Kind == feed.KindMapping && rt.Mapping != nil && *rt.Mapping == id {
			whole = true
			if err := r.mappingRows(ctx, rt, b); err != nil {
				return nil, err
			}
		}
	}
	for _, rt := range sr.Tables {
		if !whole && rt.plan.Kind == feed.KindEvents && rt.Mapping != nil && *rt.Mapping == id {
			if err := r.mappingPairs(ctx, rt, b); err != nil {
				return nil, err
			}
		}
	}
	read := &planner.MappingRead{Dump: id, Unit: r.Planner.Ask.Config.Source.TimeUnit}
	read.Mapping, read.Report = b.Build(r.Planner.Budget.Workers())
	return r.standOf(read), nil
}

// lakeRows reads columns of the published rows of a table, in one sink.
func (r *Rebuilder) lakeRows(ctx context.Context, rt *Table, want []column.Column, use func(*column.Batch) error) error {
	sk, err := r.Planner.Lake.Open(ctx, rt.from)
	if err != nil {
		return err
	}
	if err := rowfile.EachIn(ctx, sk, rt.publishedIn(rt.from), want, use); err != nil {
		return fmt.Errorf("table %s: %w", rt.Name, err)
	}
	return nil
}

// mappingRows adds the entries of the published user_migrations.
func (r *Rebuilder) mappingRows(ctx context.Context, rt *Table, b *identity.Builder) error {
	l := rules.PublishedMapping()
	return r.lakeRows(ctx, rt, l.Entries(), func(in *column.Batch) error {
		from, to, t := in.Cols[l.From].Ints, in.Cols[l.To].Ints, &in.Cols[l.Time]
		for i := range in.N {
			entry := identity.Entry{From: from[i], To: to[i]}
			if !t.IsNull(i) {
				entry.Time, entry.HasTime = t.Ints[i], true
			}
			b.Add(entry)
		}
		return nil
	})
}

// mappingPairs adds whom the raw users of published rows stand for.
func (r *Rebuilder) mappingPairs(ctx context.Context, rt *Table, b *identity.Builder) error {
	want := []column.Column{{Name: feed.RawUserID, Type: column.Int64Type}, {Name: feed.UserID, Type: column.Int64Type}}
	seen := map[int64]bool{}
	return r.lakeRows(ctx, rt, want, func(in *column.Batch) error {
		raws, users := in.Col(feed.RawUserID).Ints, in.Col(feed.UserID).Ints
		for i, raw := range raws {
			user := users[i]
			if raw != user && !seen[raw] {
				seen[raw] = true
				b.Add(identity.Entry{From: raw, To: user})
			}
		}
		return nil
	})
}

// standsFromLake tells the mappings that are lost from the lake.
func (r *Rebuilder) standsFromLake(ctx context.Context, sr *Plan) error {
	for _, id := range slices.Sorted(maps.Keys(sr.stands)) {
		if sr.stands[id] != nil {
			continue
		}
		s, err := r.standFromLake(ctx, sr, id)
		if err != nil {
			return fmt.Errorf("the user mapping of dump %d: %w", id, err)
		}
		sr.stands[id] = s
	}
	return nil
}
