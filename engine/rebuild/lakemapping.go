package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
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
	read.Mapping, read.Report = b.Build()
	return standOf(read), nil
}

// lakeRows reads columns of the published rows of a table, in one sink.
func (r *Rebuilder) lakeRows(ctx context.Context, rt *Table, want []column.Column, use func(*column.Batch)) error {
	sk, err := r.Planner.Lake.Open(ctx, rt.from, "")
	if err != nil {
		return err
	}
	for _, f := range rt.publishedIn(rt.from) {
		if err := fileRows(ctx, sk, f, want, use); err != nil {
			return fmt.Errorf("table %s: reading %s, whose rows stand in for some that are gone (if it is damaged for good, move it away): %w", rt.Name, f.Path, err)
		}
	}
	return nil
}

// fileRows reads columns of one file.
func fileRows(ctx context.Context, sk sinks.Sink, f exec.File, want []column.Column, use func(*column.Batch)) (err error) {
	rd, err := sk.Open(ctx, f.Path, f.Pin, want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.Close()) }()
	for {
		b, err := rd.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		use(b)
	}
}

// mappingRows adds the entries of the published user_migrations.
func (r *Rebuilder) mappingRows(ctx context.Context, rt *Table, b *identity.Builder) error {
	l := rules.PublishedMapping()
	return r.lakeRows(ctx, rt, l.Columns[:l.Canonical], func(in *column.Batch) {
		from, to, t := in.Cols[l.From].Ints, in.Cols[l.To].Ints, &in.Cols[l.Time]
		for i := range in.N {
			entry := identity.Entry{From: from[i], To: to[i]}
			if !t.IsNull(i) {
				entry.Time, entry.HasTime = t.Ints[i], true
			}
			b.Add(entry)
		}
	})
}

// mappingPairs adds whom the raw users of published rows stand for.
func (r *Rebuilder) mappingPairs(ctx context.Context, rt *Table, b *identity.Builder) error {
	want := []column.Column{{Name: feed.RawUserID, Type: column.Type{ID: column.Int64}}, {Name: feed.UserID, Type: column.Type{ID: column.Int64}}}
	seen := map[int64]bool{}
	return r.lakeRows(ctx, rt, want, func(in *column.Batch) {
		raws, users := in.Col(feed.RawUserID).Ints, in.Col(feed.UserID).Ints
		for i, raw := range raws {
			user := users[i]
			if raw != user && !seen[raw] {
				seen[raw] = true
				b.Add(identity.Entry{From: raw, To: user})
			}
		}
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
