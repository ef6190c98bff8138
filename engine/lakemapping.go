package engine

import (
	"context"
	"fmt"

	"reconcile/engine/identity"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// A mapping that the source no longer has can be told from what it did: the published
// user_migrations have all of it, and published rows of events have, beside their raw
// user, whom he stands for. The latter leaves out users without such rows.

// standFromLake is a mapping of the lake, as far as the tables at it tell it.
func (e *Engine) standFromLake(ctx context.Context, sr *StateRebuild, id int64) (*mappingStand, error) {
	b := identity.NewBuilder()
	whole := false
	for _, rt := range sr.Tables {
		if rt.plan.Kind == feed.KindMapping && rt.Mapping != nil && *rt.Mapping == id {
			whole = true
			if err := e.mappingRows(ctx, rt, b); err != nil {
				return nil, err
			}
		}
	}
	for _, rt := range sr.Tables {
		if !whole && rt.plan.Kind == feed.KindEvents && rt.Mapping != nil && *rt.Mapping == id {
			if err := e.mappingPairs(ctx, rt, b); err != nil {
				return nil, err
			}
		}
	}
	read := &deliveredMapping{MappingRead: planner.MappingRead{Dump: id, Unit: e.cfg.Source.TimeUnit}}
	read.Mapping, read.Report = b.Build()
	at := &planner.Session{}
	at.TakeMapping(&read.MappingRead)
	return &mappingStand{read: read, MappingAt: planner.MappingAt{Mapping: read.Mapping, Closure: read.Mapping.Closure(), Standing: at.Standing}}, nil
}

// lakeRows reads columns of the published rows of a table, in one sink.
func (e *Engine) lakeRows(ctx context.Context, rt *RebuiltTable, want []column.Column, use func(*column.Batch) error) error {
	sk, err := e.lake.Open(ctx, rt.from, "")
	if err != nil {
		return err
	}
	if err := eachRow(ctx, sk, rt.publishedIn(rt.from), want, use); err != nil {
		return fmt.Errorf("table %s: %w", rt.Name, err)
	}
	return nil
}

// mappingRows adds the entries of the published user_migrations.
func (e *Engine) mappingRows(ctx context.Context, rt *RebuiltTable, b *identity.Builder) error {
	l := rules.PublishedMapping()
	return e.lakeRows(ctx, rt, l.Columns[:l.Canonical], func(in *column.Batch) error {
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
func (e *Engine) mappingPairs(ctx context.Context, rt *RebuiltTable, b *identity.Builder) error {
	want := []column.Column{{Name: feed.RawUserID, Type: typeInt64}, {Name: feed.UserID, Type: typeInt64}}
	seen := map[int64]bool{}
	return e.lakeRows(ctx, rt, want, func(in *column.Batch) error {
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
func (e *Engine) standsFromLake(ctx context.Context, sr *StateRebuild) error {
	for _, id := range sortedKeys(sr.stands) {
		if sr.stands[id] != nil {
			continue
		}
		s, err := e.standFromLake(ctx, sr, id)
		if err != nil {
			return fmt.Errorf("the user mapping of dump %d: %w", id, err)
		}
		sr.stands[id] = s
	}
	return nil
}
