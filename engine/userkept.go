package engine

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// keptUsers opens the rows that a run of the kept users holds, as the new schema
// has them: all of them, or those of some raw users, who are sorted.
func (r *tableRun) keptUsers(ctx context.Context, s *schema, run exec.Ref, only []int64) (rows.Cursor, error) {
	have, l := s.Known(r.old.Columns), s.Kept()
	want := l.Only(l.User, l.Dump)
	keys := map[string][]byte{}
	for i, p := range s.Payload {
		c, ok := have[p.ID]
		if p.ID != feed.RescuedData && (!ok || p.Mask == definition.MaskNull) {
			continue
		}
		if p.Mask == definition.MaskHMAC && c.Mask == definition.MaskNone {
			keys[p.Name] = s.keys[i]
		}
		want = append(want, column.Column{Name: p.Name})
	}
	rd, err := openObjectRows(ctx, r.env.Objects, run, want)
	if err != nil {
		return nil, err
	}
	c := &keptCursor{r: r, s: s, layout: l, rd: rd, masks: keys}
	if only != nil {
		c.only = &ascending{only}
	}
	return c, nil
}

// keptRuns opens runs of the kept users. Of a raw user the newest of all rows
// counts.
func (r *tableRun) keptRuns(ctx context.Context, s *schema, runs []exec.Ref, only []int64) ([]rows.Cursor, error) {
	var out []rows.Cursor
	for _, run := range runs {
		c, err := r.keptUsers(ctx, s, run, only)
		if err != nil {
			for _, c := range out {
				err = errors.Join(err, c.Close())
			}
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// keptCursor reads kept users in the order of their raw ids.
type keptCursor struct {
	r      *tableRun
	s      *schema
	layout *rules.Layout // user and dump come first; columns that an object lacks are left out
	rd     *objectReader
	masks  map[string][]byte // new masks, by column
	only   *ascending        // raw users whose rows alone are wanted; nil for all

	users column.Batch // of a row group of which some rows are wanted
	rows  []uint32     // these
}

func (c *keptCursor) Next(ctx context.Context) (*rows.Chunk, error) {
	b, err := c.read(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	for name, key := range c.masks {
		column.MaskColumn(b.Col(name), key)
	}
	if err := c.s.MaskNotes(b.Col(rules.KeptNotes)); err != nil {
		return nil, err
	}
	b.Own = true
	modified := b.Col(rules.KeptName(feed.LastModified))
	ch := &rows.Chunk{Batch: b, Verdicts: rows.NewVerdicts(b.N)}
	dumps := b.Cols[c.layout.Dump].Ints
	for i, raw := range b.Cols[c.layout.User].Ints {
		id := dumps[i]
		if !c.r.task.Live(id) {
			continue
		}
		ver, err := rows.Version(c.r.rank[id], 0, 0)
		if err != nil {
			return nil, err
		}
		ch.Rows = append(ch.Rows, rows.Row{Raw: raw, Key: c.s.ModifiedMillis(modified, i), Ver: ver, At: uint32(i)})
	}
	return ch, nil
}

// read returns the next rows that are wanted, in a batch of their own.
func (c *keptCursor) read(ctx context.Context) (*column.Batch, error) {
	if c.only == nil {
		return c.rd.Next(ctx)
	}
	for o := c.rd; o.group < o.pq.RowGroups(); {
		group := o.group
		o.group++
		if err := o.pq.ReadRowGroup(group, c.layout.Only(c.layout.User), &c.users); err != nil {
			return nil, o.broken(err)
		}
		c.rows = c.rows[:0]
		for i, raw := range c.users.Col(c.layout.Columns[c.layout.User].Name).Ints {
			if c.only.has(raw) {
				c.rows = append(c.rows, uint32(i))
			}
		}
		if len(c.rows) == 0 {
			continue
		}
		b := &column.Batch{}
		if err := o.pq.ReadRows(group, c.rows, o.want, b); err != nil {
			return nil, o.broken(err)
		}
		return b, nil
	}
	return nil, nil
}

func (c *keptCursor) Close() error { return c.rd.Close() }
