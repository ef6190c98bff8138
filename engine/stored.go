package engine

import (
	"context"
	"fmt"

	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/sinks"
	"reconcile/state"
)

// storedCursors reads the rows that a partition has, with the verdicts that
// this pass gave them.
func (d *deltaRun) storedCursors(p *state.Partition) []rows.Cursor {
	if p == nil {
		return nil
	}
	marks := d.stored[p.Ordinal]
	if marks == nil {
		marks = &storedMarks{}
	}
	want := d.storedColumns()
	var out []rows.Cursor
	base := 0
	for _, f := range p.Files {
		if f.Sink != d.readFrom {
			continue
		}
		out = append(out, &storedCursor{d: d, name: f.Path, part: partValue(p), marks: marks.data, base: base,
			open: func(ctx context.Context) (sinks.Reader, error) { return d.openData(ctx, f, want) }})
		base += int(f.Rows)
	}
	if !p.Shadow.IsZero() {
		out = append(out, &storedCursor{d: d, name: "shadow rows", part: partValue(p), marks: marks.shadow, otherwise: rows.Shadow,
			open: func(ctx context.Context) (sinks.Reader, error) { return d.openObject(ctx, p.Shadow, want) }})
	}
	return out
}

// storedColumns are the columns of a data file that a merge needs.
func (d *deltaRun) storedColumns() []column.Column {
	want := []column.Column{{Name: d.schema.keyName, Type: typeInt64}, {Name: colRawUser, Type: typeInt64}, {Name: colDump, Type: typeInt64}}
	for _, p := range d.schema.payload {
		want = append(want, column.Column{Name: p.Name, Type: p.typ})
	}
	return want
}

// storedCursor reads one file of stored rows.
type storedCursor struct {
	d         *deltaRun
	name      string
	part      int64
	marks     map[int]rows.Verdict
	otherwise rows.Verdict // of rows without a mark
	base      int
	open      func(context.Context) (sinks.Reader, error)
	rd        sinks.Reader
}

func (c *storedCursor) Next(ctx context.Context) (*rows.Chunk, error) {
	if c.rd == nil {
		rd, err := c.open(ctx)
		if err != nil {
			return nil, err
		}
		c.rd = rd
	}
	b, err := c.rd.Next(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c.name, err)
	}
	if b == nil {
		return nil, nil
	}
	ch := &rows.Chunk{Batch: b, Rows: make([]rows.Row, b.N), Verdicts: rows.NewVerdicts(b.N)}
	keys, raws, dumps := b.Cols[0].Ints, b.Cols[1].Ints, b.Cols[2].Ints
	for i := range b.N {
		ver, err := rows.Version(c.d.rank[dumps[i]], 0, 0)
		if err != nil {
			return nil, err
		}
		ch.Rows[i] = rows.Row{Part: c.part, Raw: raws[i], Key: keys[i], Ver: ver, At: uint32(i)}
		v, ok := c.marks[c.base+i]
		if !ok {
			v = c.otherwise
		}
		if v != rows.Publish {
			ch.Verdicts.Set(i, v)
		}
	}
	c.base += b.N
	return ch, nil
}

func (c *storedCursor) Close() error {
	if c.rd == nil {
		return nil
	}
	return c.rd.Close()
}
