package events

import (
	"context"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// stateRows feeds the rows that a table has, published and shadow, to the ingest as rows of its
// schema. Rows of void dumps are left out. Files and shares of large ones are read side by side:
// a table has one row of each key and raw user, so that it does not matter in which segments its
// rows come to be.
func stateRows(ctx context.Context, g *ingest.Ingest, r *pass.Run) error {
	workers := r.Env.Limits.Budget.Workers()
	var shares []storedShare
	for _, f := range r.StoredFiles(r.OldParts...) {
		for _, s := range sinks.Shares(f.Bytes, workers) {
			shares = append(shares, storedShare{&f, s})
		}
	}
	var taken atomic.Int64
	eg, ctx := errgroup.WithContext(ctx)
	for range min(workers, len(shares)) {
		eg.Go(func() error {
			b := newBuilder(g, r, r.Task.Live)
			for at := taken.Add(1); at <= int64(len(shares)); at = taken.Add(1) {
				if err := b.addShare(ctx, r, shares[at-1]); err != nil {
					return err
				}
			}
			return b.seal(ctx)
		})
	}
	return eg.Wait()
}

// storedShare is a part of a file that one goroutine reads.
type storedShare struct {
	file *pass.StoredFile
	sinks.Share
}

// builder collects stored rows, in columns, for segments of an ingest. One goroutine uses
// it.
type builder struct {
	ingest      *ingest.Ingest
	schema      *decode.Schema
	layout      *rules.Layout // of the rows as they are read
	conversions []rules.Conversion
	rank        map[int64]int
	takes       func(dump int64) bool

	cols  []column.Column // nil before the first batch of a segment
	rows  []rules.Row
	items map[int][]column.Rescued // of the current batch, by row
}

// newBuilder returns a builder of the rows of dumps that takes names.
func newBuilder(g *ingest.Ingest, r *pass.Run, takes func(dump int64) bool) *builder {
	b := &builder{ingest: g, schema: g.Schema, rank: r.Rank, takes: takes, items: map[int][]column.Rescued{}}
	b.conversions, b.layout = g.Schema.Conversions(r.Old.Columns, r.Old.Key)
	return b
}

// addShare takes the rows of a part of a file.
func (b *builder) addShare(ctx context.Context, r *pass.Run, s storedShare) error {
	part := exec.Extent{Bytes: s.file.Bytes, Rows: s.file.Rows, Columns: len(r.Old.Columns)}.Part(s.Of)
	read := r.Env.Events.Stretch(exec.Reading, part.Rows, exec.WorkOfStored(part.AsStored()))
	err := s.file.EachOf(ctx, s.Share, int64(r.Env.Limits.Budget.FileRowGroup()), b.layout.Columns, func(in *column.Batch) error {
		read.Pass(in.N)
		return b.add(ctx, in)
	})
	if err == nil {
		read.End()
	}
	return err
}

// add takes a batch of stored rows.
func (b *builder) add(ctx context.Context, in *column.Batch) error {
	if b.cols == nil {
		b.cols = b.schema.EmptyPayload()
	}
	if err := b.convertBatch(in); err != nil {
		return err
	}
	if b.memory() < b.ingest.Limits.Budget.Collecting() {
		return nil
	}
	return b.seal(ctx)
}

// memory estimates the bytes that the builder holds.
func (b *builder) memory() int {
	batch := column.Batch{Cols: b.cols}
	return cap(b.rows)*rows.RowSize + batch.Memory()
}

// seal gives the ingest what was collected.
func (b *builder) seal(ctx context.Context) error {
	if b.cols == nil {
		return nil
	}
	s := b.segment()
	b.rows, b.cols = nil, nil
	return b.ingest.Keep(ctx, s)
}

func (b *builder) segment() *rows.Segment {
	return rows.NewSegment(b.rows, &column.Batch{N: len(b.rows), Cols: b.cols})
}

// convertBatch appends the rows of a batch that are taken.
func (b *builder) convertBatch(in *column.Batch) error {
	l := b.layout
	keys, raws, dumps := in.Cols[l.Key].Ints, in.Cols[l.RawUser].Ints, in.Cols[l.Dump].Ints
	selection := make([]column.SourceRow, 0, in.N)
	for i := range in.N {
		if b.takes(dumps[i]) {
			selection = append(selection, column.SourceRow{Row: uint32(i)})
		}
	}
	clear(b.items)
	var g column.Gatherer
	for i, c := range b.conversions {
		g.Column(&b.cols[i], []*column.Column{b.convert(in, c, i)}, selection)
	}
	if err := b.schema.CarryRescued(&b.cols[b.schema.Rescued()], &in.Cols[l.Rescued], selection, b.items); err != nil {
		return err
	}
	for _, p := range selection {
		ver, err := rules.Version(b.rank[dumps[p.Row]], 0, 0)
		if err != nil {
			return err
		}
		at := len(b.rows)
		b.rows = append(b.rows, rules.Row{Part: b.schema.PartitionAt(b.cols, at), Raw: raws[p.Row], Key: keys[p.Row], Ver: ver, At: uint32(at)})
	}
	return nil
}

// convert returns column i of the new schema for all rows of in, nil for null.
// Values that do not cast are left in items, by row of in.
func (b *builder) convert(in *column.Batch, c rules.Conversion, i int) *column.Column {
	if c.At < 0 || c.Void {
		return nil
	}
	src, p := &in.Cols[c.At], &b.schema.Payload[i]
	if src.Type == column.StringType && (c.HMAC || c.Cast) {
		b.schema.RestoreOriginals(src, &in.Cols[b.layout.Rescued], i)
	}
	switch {
	case c.HMAC:
		column.MaskColumn(src, b.schema.Keys[i])
	case c.Cast:
		dst := &column.Column{Name: p.Name, Type: p.Type}
		dst.Reset()
		res := p.Cast(src, dst, rules.Origins{})
		b.ingest.Rounded.Add(res.Rounded)
		for _, f := range res.Fails {
			b.items[f.Row] = append(b.items[f.Row], column.Rescued{Name: p.Delivered, Value: slices.Clone(f.Text)})
		}
		return dst
	}
	return src
}
