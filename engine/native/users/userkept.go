package users

import (
	"context"
	"errors"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/native/pass"
	"reconcile/engine/rowfile"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// wantedUsers are raw users, sorted, whose rows alone are wanted. passed is told of all rows
// that are looked through for them.
type wantedUsers struct {
	ids    []int64
	passed *exec.Stretch
}

// wantUsers says whose rows are wanted of runs of kept users, and that looking for them is
// so much work.
func wantUsers(r *pass.Run, ids []int64, runs []exec.Ref, work int64) *wantedUsers {
	n := int64(0)
	for _, run := range runs {
		n += run.Rows
	}
	return &wantedUsers{ids, r.Env.Events.Stretch(exec.Writing, n, work)}
}

// keptUsers opens the rows that a run of the kept users holds, as the new schema
// has them: all of them, or those of some raw users, who are sorted.
func keptUsers(ctx context.Context, r *pass.Run, s *decode.Schema, run exec.Ref, only *wantedUsers) (rows.Cursor, error) {
	have, l := s.Known(r.Old.Columns), s.Kept()
	want := l.Only(l.User, l.Dump)
	keys := map[string][]byte{}
	for i, p := range s.Payload {
		c, ok := have[p.ID]
		if p.ID != feed.RescuedData && (!ok || p.Mask == definition.MaskNull) {
			continue
		}
		if p.Mask == definition.MaskHMAC && c.Mask == definition.MaskNone {
			keys[p.Name] = s.Keys[i]
		}
		want = append(want, column.Column{Name: p.Name})
	}
	rd, err := rowfile.OpenObject(ctx, r.Env.Objects, run, want, r.Env.Limits.Budget.FileRowGroup())
	if err != nil {
		return nil, err
	}
	c := &keptCursor{r: r, s: s, layout: l, rd: rd, masks: keys}
	if only != nil {
		c.only, c.passed = &identity.Ascending{IDs: only.ids}, only.passed
	}
	return c, nil
}

// keptRuns opens runs of the kept users. Of a raw user the newest of all rows
// counts.
func keptRuns(ctx context.Context, r *pass.Run, s *decode.Schema, runs []exec.Ref, only *wantedUsers) ([]rows.Cursor, error) {
	var out []rows.Cursor
	for _, run := range runs {
		c, err := keptUsers(ctx, r, s, run, only)
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
	r      *pass.Run
	s      *decode.Schema
	layout *rules.Layout // user and dump come first; columns that an object lacks are left out
	rd     *rowfile.ObjectReader
	masks  map[string][]byte   // new masks, by column
	only   *identity.Ascending // raw users whose rows alone are wanted; nil for all
	passed *exec.Stretch       // is told of the rows that were looked through for these

	users column.Batch // of a row group of which some rows are wanted
	rows  []uint32     // these
	group int          // theirs
}

// Next implements rows.Cursor.
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
		if !c.r.Task.Live(id) {
			continue
		}
		ver, err := rules.Version(c.r.Rank[id], 0, 0)
		if err != nil {
			return nil, err
		}
		ch.Rows = append(ch.Rows, rules.Row{Raw: raw, Key: c.s.ModifiedMillis(modified, i), Ver: ver, At: uint32(i)})
	}
	return ch, nil
}

// read returns the next rows that are wanted, in a batch of their own.
func (c *keptCursor) read(ctx context.Context) (*column.Batch, error) {
	if c.only == nil {
		return c.rd.Next(ctx)
	}
	if err := c.findRows(); err != nil || len(c.rows) == 0 {
		return nil, err
	}
	o, b := c.rd, &column.Batch{}
	perRow := o.Parquet.GroupBytes(c.group, o.Want) / int64(max(o.Parquet.GroupRows(c.group), 1))
	n := min(column.RowsWithin(len(c.rows), perRow*int64(len(c.rows)), int64(c.r.Env.Limits.Budget.FileRowGroup())), len(c.rows))
	err := o.Parquet.ReadRows(c.group, c.rows[:n], o.Want, b)
	if c.rows = c.rows[n:]; err != nil {
		return nil, o.Broken(err)
	}
	return b, nil
}

// findRows goes on to the next row group with rows that are wanted, if there are none left
// of the last one.
func (c *keptCursor) findRows() error {
	for o := c.rd; len(c.rows) == 0 && o.Batches.Group() < o.Parquet.RowGroups(); {
		c.group = o.Batches.Group()
		o.Batches.Skip()
		if err := o.Parquet.ReadRowGroup(c.group, c.layout.Only(c.layout.User), &c.users); err != nil {
			return o.Broken(err)
		}
		c.passed.PassBytes(int64(o.Parquet.GroupRows(c.group)))
		c.rows = nil
		for i, raw := range c.users.Col(c.layout.Columns[c.layout.User].Name).Ints {
			if c.only.Has(raw) {
				c.rows = append(c.rows, uint32(i))
			}
		}
	}
	return nil
}

// Close implements rows.Cursor.
func (c *keptCursor) Close() error { return c.rd.Close() }
