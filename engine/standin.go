package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/internal/feed"
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
	*exec.StandIns
	sink   exec.Sink
	types  []column.Column // that the files have
	staged []string        // of users: what the dumps that are there come to
	alone  map[int64]bool  // of users: for whose group the published row stands in alone
}

// openStandIns returns what stands in for rows that are gone, nil if nothing does.
func (r *tableRun) openStandIns() (*standIns, error) {
	from := r.task.StandIns
	if from == nil {
		return nil, nil
	}
	out := &standIns{StandIns: from, sink: r.env.Sinks[from.Root]}
	for _, c := range from.Types {
		typ, err := column.ParseType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s of the published files: %w", c.Name, err)
		}
		out.types = append(out.types, column.Column{Name: c.Name, Type: typ})
	}
	return out, nil
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

// newest is the greatest dump that is gone.
func (s *standIns) newest() int64 { return s.Dumps[len(s.Dumps)-1] }

// usersStoodIn brings users to their new state where published rows stand in for some.
// They are computed without these first, which tells where they are needed.
func (r *tableRun) usersStoodIn(ctx context.Context) (*outcome, error) {
	stands := r.stands
	r.stands = nil
	c, err := r.usersTable(ctx)
	if err != nil {
		return nil, err
	}
	stands.staged = r.stagedIn(c, stands.Root)
	r.stands, r.rounded = stands, 0
	if c, err = r.usersTable(ctx); err != nil {
		return nil, err
	}
	if stands.alone, err = r.usersOff(ctx, c); err != nil || len(stands.alone) == 0 {
		return c, err
	}
	r.rounded = 0
	return r.usersTable(ctx)
}

// stagedIn lists the files that a change staged in a sink.
func (r *tableRun) stagedIn(c *outcome, root string) []string {
	at := slices.IndexFunc(r.task.Sinks, func(t exec.Target) bool { return t.Root == root })
	var out []string
	for _, p := range c.parts {
		for _, f := range p.record.Files {
			if f.Sink == at {
				out = append(out, f.Staged)
			}
		}
	}
	return out
}

// usersOff lists the published users whom a change does not give as they are published.
// Rows of other members, which the dumps that are there have and one that is gone had
// replaced, can do that.
func (r *tableRun) usersOff(ctx context.Context, c *outcome) (_ map[int64]bool, err error) {
	cols := r.schema.FileColumns()
	have, err := r.openStaged(ctx, r.stands.sink, r.stagedIn(c, r.stands.Root))
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
func (r *tableRun) openStaged(ctx context.Context, sk exec.Sink, staged []string) (*rowReader, error) {
	if len(staged) == 0 {
		return &rowReader{}, nil
	}
	rd, err := sk.Open(ctx, staged[0], "", r.schema.FileColumns())
	if err != nil {
		return nil, err
	}
	return newRowReader(&r.schema.Schema, rd), nil
}

// drops reports whether a row of users is left out: of a group for which a published row
// stands in alone, only rows stay that no dump that is gone can have replaced.
func (s *standIns) drops(row *rows.Row, r *tableRun) bool {
	return s != nil && s.alone[r.canon(row.Raw)] && !rows.IsLast(row.Ver) && rows.DumpRank(row.Ver) < r.rank[s.newest()]
}

// each reads columns of the published rows.
func (s *standIns) each(ctx context.Context, want []column.Column, use func(*column.Batch) error) error {
	return eachRow(ctx, s.sink, s.Files, want, use)
}

// eachRow reads columns of published files, a batch at a time.
func eachRow(ctx context.Context, sk exec.Sink, files []exec.File, want []column.Column, use func(*column.Batch) error) error {
	for _, f := range files {
		rd, err := sk.Open(ctx, f.Path, f.Pin, want)
		if err == nil {
			err = eachBatch(ctx, rd, use)
		}
		if err != nil {
			return fmt.Errorf("reading %s, whose rows stand in for some that are gone (if it is damaged for good, move it away): %w", f.Path, err)
		}
	}
	return nil
}

// standIn feeds published rows of dumps that are gone to the ingest, as rows of its
// schema.
func (g *ingest) standIn(ctx context.Context, r *tableRun) error {
	conv := g.schema.Conversions(r.old.Columns)
	want := []column.Column{{Name: r.old.Key, Type: typeInt64}, {Name: feed.RawUserID, Type: typeInt64}, {Name: feed.DumpID, Type: typeInt64}}
	for _, c := range conv {
		if c.From != nil {
			want = append(want, *c.From)
		}
	}
	takes := func(dump int64) bool { return slices.Contains(r.stands.Dumps, dump) && r.task.Live(dump) }
	var b *builder
	seal := func() error {
		full := b
		b = nil
		g.rounded += full.rounded
		return g.keep(ctx, full.seal())
	}
	err := r.stands.each(ctx, want, func(in *column.Batch) error {
		if b == nil {
			b = newBuilder(g.schema)
		}
		if err := b.addState(in, r.old.Key, conv, r.rank, takes); err != nil {
			return err
		}
		if b.memory() < g.lim.Budget.Collecting() {
			return nil
		}
		return seal()
	})
	if err != nil || b == nil {
		return err
	}
	return seal()
}
