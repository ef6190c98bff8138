package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/plan"
	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// When a state is made anew and live dumps are gone from the source, the published rows
// stand in for theirs, if that is accepted. A published row of an event tells all of
// what it was, its raw user and its dump included: it enters as if its dump had been
// read. What such dumps had beyond that, rows that others hide, is lost.
//
// A published row of users does not tell whose it is. Where the dumps that are there do
// not give it, it enters as the row of the raw user that it is named after, and comes
// before whatever these have of him: it holds what the whole group came to. Where other
// members still make it another row, it stands in for them, too.

// standIns are published rows of one table that stand in for others.
type standIns struct {
	sink   sinks.Sink
	files  []publishedFile // all of the table in the sink
	dumps  map[int64]bool  // that are gone
	staged []string        // of users: what the dumps that are there come to
	types  []column.Column // that the files have
	newest int64           // of dumps
	alone  map[int64]bool  // of users: for whose group the published row stands in alone
}

// typed gives columns the types that the files have them in.
func (s *standIns) typed(cols []column.Column) []column.Column {
	out := slices.Clone(cols)
	for i := range out {
		if at := slices.IndexFunc(s.types, func(c column.Column) bool { return c.Name == out[i].Name }); at >= 0 {
			out[i].Type = s.types[at].Type
		}
	}
	return out
}

// standsIn returns what stands in for the rows of a table that are gone, nil if none are.
func (e *Engine) standsIn(ctx context.Context, rt *RebuiltTable) (*standIns, error) {
	if len(rt.Lost) == 0 || rt.plan.kind == feed.KindMapping {
		return nil, nil
	}
	sk, err := e.lake.Open(ctx, rt.from, "")
	if err != nil {
		return nil, err
	}
	out := &standIns{sink: sk, dumps: map[int64]bool{}, types: rt.columns, newest: rt.Lost[0].Dump}
	for _, f := range rt.published {
		if f.root == rt.from {
			out.files = append(out.files, f)
		}
	}
	for _, d := range rt.Lost {
		out.dumps[d.Dump] = true
		out.newest = max(out.newest, d.Dump)
	}
	return out, nil
}

// contentAnew stages the content of a table. That of users is computed without stand-ins
// first, which tells where they are needed.
func (e *Engine) contentAnew(ctx context.Context, r *tableRun, rt *RebuiltTable) (*change, error) {
	stands, err := e.standsIn(ctx, rt)
	if err != nil {
		return nil, err
	}
	if r.kind != feed.KindUsers {
		r.stands = stands
	}
	c, err := r.compute(ctx, plan.ClassRebuild, true)
	if err != nil || stands == nil || r.kind != feed.KindUsers {
		return c, err
	}
	stands.staged = r.stagedIn(c, stands.sink)
	r.stands, r.rounded = stands, 0
	if c, err = r.compute(ctx, plan.ClassRebuild, true); err != nil {
		return nil, err
	}
	if stands.alone, err = r.usersOff(ctx, c); err != nil || len(stands.alone) == 0 {
		return c, err
	}
	r.rounded = 0
	return r.compute(ctx, plan.ClassRebuild, true)
}

// stagedIn lists the files that a change staged in a sink.
func (r *tableRun) stagedIn(c *change, sk sinks.Sink) []string {
	at := slices.IndexFunc(r.attempt.targets, func(t target) bool { return t.sink == sk })
	var out []string
	for _, p := range c.parts {
		for i, f := range p.record.Files {
			if f.Sink == at {
				out = append(out, p.staged[i])
			}
		}
	}
	return out
}

// usersOff lists the published users whom a change does not give as they are published.
// Rows of other members, which the dumps that are there have and one that is gone had
// replaced, can do that.
func (r *tableRun) usersOff(ctx context.Context, c *change) (_ map[int64]bool, err error) {
	cols := r.schema.published()
	have, err := r.openStaged(ctx, r.stands.sink, r.stagedIn(c, r.stands.sink))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, have.close()) }()
	out := map[int64]bool{}
	err = r.stands.each(ctx, r.stands.typed(cols), func(in *column.Batch) error {
		o := &rowReader{batch: in}
		for ; o.next < in.N; o.next++ {
			same, err := have.has(ctx, o)
			if err != nil {
				return err
			}
			if !same {
				out[o.at().user] = true
			}
		}
		return nil
	})
	return out, err
}

// openStaged opens the one file that a table without partitions has; one of no file has
// no rows.
func (r *tableRun) openStaged(ctx context.Context, sk sinks.Sink, staged []string) (*rowReader, error) {
	if len(staged) == 0 {
		return &rowReader{}, nil
	}
	rd, err := sk.Open(ctx, staged[0], "", r.schema.published())
	if err != nil {
		return nil, err
	}
	return r.newRowReader(rd), nil
}

// drops reports whether a row of users is left out: of a group for which a published row
// stands in alone, only rows stay that no dump that is gone can have replaced.
func (s *standIns) drops(row *rows.Row, r *tableRun) bool {
	return s != nil && s.alone[r.canon(row.Raw)] && !rows.IsLast(row.Ver) && rows.DumpRank(row.Ver) < r.rank[s.newest]
}

// each reads columns of the published rows.
func (s *standIns) each(ctx context.Context, want []column.Column, use func(*column.Batch) error) error {
	for _, f := range s.files {
		rd, err := s.sink.Open(ctx, f.path, f.object.Pin, want)
		if err == nil {
			err = eachBatch(ctx, rd, use)
		}
		if err != nil {
			return fmt.Errorf("reading %s, whose rows stand in for some that are gone (if it is damaged for good, move it away): %w", f.path, err)
		}
	}
	return nil
}

// standIn feeds published rows of dumps that are gone to the ingest, as rows of its
// schema.
func (g *ingest) standIn(ctx context.Context, r *tableRun) error {
	conv, err := g.schema.conversions(r.old.Columns)
	if err != nil {
		return err
	}
	want := []column.Column{{Name: r.old.Key, Type: typeInt64}, {Name: feed.RawUserID, Type: typeInt64}, {Name: feed.DumpID, Type: typeInt64}}
	for _, c := range conv {
		if c.from != nil {
			want = append(want, *c.from)
		}
	}
	takes := func(dump int64) bool { return r.stands.dumps[dump] && r.live(dump) }
	var b *builder
	seal := func() error {
		full := b
		b = nil
		g.rounded += full.rounded
		return g.keep(ctx, full.seal())
	}
	err = r.stands.each(ctx, want, func(in *column.Batch) error {
		if b == nil {
			b = newBuilder(g.schema)
		}
		if err := b.addState(in, r.old.Key, conv, r.rank, takes); err != nil {
			return err
		}
		if b.memory() < g.lim.sealAt() {
			return nil
		}
		return seal()
	})
	if err != nil || b == nil {
		return err
	}
	return seal()
}
