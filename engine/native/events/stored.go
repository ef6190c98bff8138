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
	base := 0
	for _, f := range p.Files {
		if f.Sink != d.Old.ReadFrom {
			continue
		}
		out = append(out, &storedCursor{d: d, name: f.Path, part: write.PartValue(p), overrides: overrides.data, base: base,
			open: func(ctx context.Context) (sinks.Reader, error) { return d.OpenData(ctx, f, want) }})
		base += int(f.Rows)
	}
	if !p.Shadow.IsZero() {
		out = append(out, d.shadowCursor(p, overrides))
	}
	return out
}

// shadowCursor reads the shadow rows that a partition has.
func (d *deltaRun) shadowCursor(p *exec.Partition, overrides *storedOverrides) *storedCursor {
	return &storedCursor{d: d, name: "shadow rows", part: write.PartValue(p), overrides: overrides.shadow, otherwise: rules.Shadow,
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
	uncounted bool // a redelivery does not count the rows
	open      func(context.Context) (sinks.Reader, error)
	rd        sinks.Reader
}

// Next implements rows.Cursor.
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
	if !c.uncounted {
		c.d.Redelivery.CountRows(b)
	}
	ch, err := c.d.storedChunk(b, c.part, c.overrides, c.base, c.otherwise)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c.name, err)
	}
	c.base += b.N
	return ch, nil
}

// Close implements rows.Cursor.
func (c *storedCursor) Close() error {
	if c.rd == nil {
		return nil
	}
	return c.rd.Close()
}
