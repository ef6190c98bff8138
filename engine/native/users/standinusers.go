package users

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/decode"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/rowfile"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// standInUsers feeds the published users to the ingest whom the dumps that are there do
// not give, un-cast as delivered rows are.
func standInUsers(ctx context.Context, g *ingest.Ingest, r *pass.Run) (err error) {
	cols := r.Schema.FileColumns()
	have, err := openStaged(ctx, r, r.Stands.Sink, r.Stands.Staged)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, have.Close()) }()
	b := &userStandIns{r: r, s: g.Schema}
	return r.Stands.Each(ctx, r.Stands.Typed(cols), func(in *column.Batch) error {
		published := &rowfile.Reader{Batch: in}
		for ; published.Next < in.N; published.Next++ {
			same, err := have.Has(ctx, published)
			if err != nil {
				return err
			}
			if same {
				continue
			}
			if err := b.add(in, published.Next); err != nil {
				return err
			}
		}
		return keepStandIns(ctx, g, b)
	})
}

// userStandIns collects published users as un-cast rows.
type userStandIns struct {
	r    *pass.Run
	s    *decode.Schema // un-cast
	rows []rules.Row
	cols []column.Column
}

// keepStandIns hands what was collected to the ingest.
func keepStandIns(ctx context.Context, g *ingest.Ingest, b *userStandIns) error {
	if len(b.rows) == 0 {
		return nil
	}
	seg := rows.NewSegment(b.rows, &column.Batch{N: len(b.rows), Cols: b.cols})
	b.rows, b.cols = nil, nil
	return g.Keep(ctx, seg)
}

// add takes a published row.
func (b *userStandIns) add(in *column.Batch, i int) error {
	if b.cols == nil {
		b.cols = b.s.EmptyPayload()
	}
	rescued, err := b.rescuedOf(in.Col(feed.RescuedData), i)
	if err != nil {
		return err
	}
	var notes []column.Rescued
	last := b.s.Rescued()
	modified := in.Col(feed.LastModified)
	for c, p := range b.r.Schema.Payload[:last] {
		dst, src, items := &b.cols[c], in.Col(p.Name), rescued[c]
		switch {
		case !src.IsNull(i):
			dst.AppendBytes(column.AppendText(nil, src, i))
		case len(items) == 0:
			dst.AppendNulls(1)
		default: // it did not cast: the original does so again
			at := max(0, slices.IndexFunc(items, func(it column.Rescued) bool { return it.Name == p.Delivered }))
			dst.AppendBytes(items[at].Value)
			notes = append(notes, rules.SpellingNote(p.ID, items[at].Name))
			items = slices.Delete(items, at, at+1)
		}
		notes = append(notes, items...)
	}
	if len(notes) == 0 {
		b.cols[last].AppendNulls(1)
	} else {
		b.cols[last].AppendBytes(column.AppendRescue(nil, notes))
	}
	return b.place(in, i, modified)
}

// place notes whose row it is, and when it was modified. Of its dump it is the last.
func (b *userStandIns) place(in *column.Batch, i int, modified *column.Column) error {
	ver, err := rules.Version(b.r.Rank[in.Col(feed.DumpID).Ints[i]], rules.MaxFile, rules.MaxRow)
	if err != nil {
		return err
	}
	key := b.s.ModifiedMillis(nil, 0)
	if modified != nil && !modified.IsNull(i) {
		key = modified.Ints[i]
	}
	b.rows = append(b.rows, rules.Row{Raw: in.Col(b.s.UserName).Ints[i], Key: key, Ver: ver, At: uint32(len(b.rows))})
	return nil
}

// rescuedOf takes _rescued_data of a row apart, by payload column.
func (b *userStandIns) rescuedOf(c *column.Column, i int) (map[int][]column.Rescued, error) {
	out := map[int][]column.Rescued{}
	if c.IsNull(i) {
		return out, nil
	}
	items, err := column.SplitRescue(c.Bytes(i))
	if err != nil {
		return nil, fmt.Errorf("_rescued_data %q: %w", c.Bytes(i), err)
	}
	for _, it := range items {
		if at := b.s.NoteOf(it.Name); at >= 0 {
			out[at] = append(out[at], it)
		}
	}
	return out, nil
}
