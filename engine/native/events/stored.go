package events

import (
	"context"
	"fmt"

	"reconcile/engine/exec"
	"reconcile/engine/native/write"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/sinks"
)

// storedCursors reads the rows that a partition has, with the verdicts that
// this pass gave them.
func (d *deltaRun) storedCursors(p *exec.Partition) []rows.Cursor {
	if p == nil {
		return nil
	}
	overrides := d.stored[p.Ordinal]
	if overrides == nil {
		overrides = &storedOverrides{}
	}
	want := d.layout.Columns
	var out []rows.Cursor
	add := func(c *storedCursor, n int64) {
		if d.form.records == nil {
			out = append(out, c)
			return
		}
		out = append(out, &rows.Spooled{From: c, Part: c.part, Rows: int(n), Columns: d.form.records, Dir: d.Env.Limits.Scratch, Block: d.ing.ScratchBlock()})
	}
	base := 0
	for _, f := range p.Files {
		if f.Sink != d.Old.ReadFrom {
			continue
		}
		add(&storedCursor{d: d, name: f.Path, part: write.PartValue(p), overrides: overrides.data, base: base, count: d.countRows,
			open: func(ctx context.Context) (sinks.Reader, error) { return d.OpenData(ctx, f, want) }}, f.Rows)
		base += int(f.Rows)
	}
	if !p.Shadow.IsZero() {
		add(d.shadowCursor(p, overrides), p.Shadow.Rows)
	}
	return out
}

func (d *deltaRun) countRows(p *storedPart) { d.Redelivery.CountRows(p.batch) }

// shadowCursor reads the shadow rows that a partition has.
func (d *deltaRun) shadowCursor(p *exec.Partition, overrides *storedOverrides) *storedCursor {
	return &storedCursor{d: d, name: "shadow rows", part: write.PartValue(p), overrides: overrides.shadow, otherwise: rules.Shadow, count: d.countRows,
		open: func(ctx context.Context) (sinks.Reader, error) { return d.OpenObject(ctx, p.Shadow, d.layout.Columns) }}
}

// storedCursor reads one file of stored rows.
type storedCursor struct {
	d         *deltaRun
	name      string
	part      int64
	overrides map[int]rules.Verdict
	otherwise rules.Verdict // of rows without an override
	base      int
	count     func(*storedPart) // is told of all that is read
	open      func(context.Context) (sinks.Reader, error)
	rows      *partReader // nil until it is opened
}

// Next implements rows.Cursor.
func (c *storedCursor) Next(ctx context.Context) (*rows.Chunk, error) {
	if c.rows == nil {
		rd, err := c.open(ctx)
		if err != nil {
			return nil, err
		}
		c.rows = &partReader{form: &c.d.form, rd: rd}
	}
	p, err := c.rows.next(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c.name, err)
	}
	if p == nil {
		return nil, nil
	}
	c.count(p)
	ch, err := c.d.form.chunk(p, c.part, c.overrides, c.base, c.otherwise)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c.name, err)
	}
	c.base += p.batch.N
	return ch, nil
}

// Close implements rows.Cursor.
func (c *storedCursor) Close() error {
	if c.rows == nil {
		return nil
	}
	return c.rows.rd.Close()
}
