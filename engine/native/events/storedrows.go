package events

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// stateRows feeds the rows that a table has, published and shadow, to the
// ingest as rows of its schema. Rows of void dumps are left out.
func stateRows(ctx context.Context, g *ingest.Ingest, r *pass.Run) error {
	f := newStoredFeed(g, r, r.Task.Live)
	for _, p := range r.OldParts {
		err := r.EachStored(ctx, p, f.columns(), func(in *column.Batch, _ bool) error {
			g.Progress(int64(in.N), 0)
			return f.add(ctx, in)
		})
		if err != nil {
			return err
		}
	}
	return f.flush(ctx)
}

// storedFeed feeds stored rows to the ingest, as rows of its schema.
type storedFeed struct {
	ingest *ingest.Ingest
	run    *pass.Run
	takes  func(dump int64) bool // whose rows are fed
	conv   []rules.Conversion
	b      *builder // of the segment that is being filled, nil for none
}

func newStoredFeed(g *ingest.Ingest, r *pass.Run, takes func(dump int64) bool) *storedFeed {
	return &storedFeed{ingest: g, run: r, takes: takes, conv: g.Schema.Conversions(r.Old.Columns)}
}

// columns are those that batches of stored rows must have.
func (f *storedFeed) columns() []column.Column {
	want := []column.Column{{Name: f.run.Old.Key, Type: column.Int64Type}, {Name: feed.RawUserID, Type: column.Int64Type}, {Name: feed.DumpID, Type: column.Int64Type}}
	for _, c := range f.conv {
		if c.From != nil {
			want = append(want, *c.From)
		}
	}
	return want
}

// add takes the rows of a batch. What was collected is passed on when it is large enough.
func (f *storedFeed) add(ctx context.Context, in *column.Batch) error {
	if f.b == nil {
		f.b = newBuilder(f.ingest.Schema)
	}
	if err := f.b.addState(in, f.run.Old.Key, f.conv, f.run.Rank, f.takes); err != nil {
		return err
	}
	if f.b.memory() < f.ingest.Limits.Budget.Collecting() {
		return nil
	}
	return f.flush(ctx)
}

// flush passes on what was collected.
func (f *storedFeed) flush(ctx context.Context) error {
	if f.b == nil {
		return nil
	}
	full := f.b
	f.b = nil
	f.ingest.Rounded += full.rounded
	return f.ingest.Keep(ctx, full.seal())
}

// builder collects stored rows, in columns, for a segment.
type builder struct {
	schema *ingest.Schema
	cols   []column.Column
	n      int
	rows   []rules.Row
	items  map[int][]column.Rescued // of the current batch, by row
	// rounded counts values.
	rounded int64
}

func newBuilder(s *ingest.Schema) *builder {
	return &builder{schema: s, cols: s.EmptyPayload(), items: map[int][]column.Rescued{}}
}

// memory estimates the bytes that the builder holds.
func (b *builder) memory() int {
	batch := column.Batch{Cols: b.cols}
	return cap(b.rows)*rows.RowSize + batch.Memory()
}

func (b *builder) seal() *rows.Segment {
	return rows.NewSegment(b.rows, &column.Batch{N: b.n, Cols: b.cols})
}

// addState appends rows that a table has, of the dumps that takes names.
func (b *builder) addState(in *column.Batch, key string, conv []rules.Conversion, rank map[int64]int, takes func(dump int64) bool) error {
	keys, raws, dumps := in.Col(key), in.Col(feed.RawUserID), in.Col(feed.DumpID)
	selection := make([]column.SourceRow, 0, in.N)
	for i := range in.N {
		if takes(dumps.Ints[i]) {
			selection = append(selection, column.SourceRow{Row: uint32(i)})
		}
	}
	clear(b.items)
	n := len(conv) - 1
	var g column.Gatherer
	for i, c := range conv[:n] {
		g.Column(&b.cols[i], []*column.Column{b.convert(in, c, i)}, selection)
	}
	if err := b.carryRescued(in.Col(feed.RescuedData), selection); err != nil {
		return err
	}
	for i, p := range selection {
		ver, err := rules.Version(rank[dumps.Ints[p.Row]], 0, 0)
		if err != nil {
			return err
		}
		r := rules.Row{Raw: raws.Ints[p.Row], Key: keys.Ints[p.Row], Ver: ver, At: uint32(b.n + i)}
		if b.schema.Partition.Unit != definition.UnitNone {
			r.Part = rules.NullPart
			if b.schema.PartitionColumn >= 0 {
				r.Part = rules.PartitionOf(b.schema.Partition.Unit, &b.cols[b.schema.PartitionColumn], b.n+i)
			}
		}
		b.rows = append(b.rows, r)
	}
	b.n += len(selection)
	return nil
}

// convert returns column i of the new schema for all rows of in, nil for null.
// Values that do not cast are left in items, by row of in.
func (b *builder) convert(in *column.Batch, c rules.Conversion, i int) *column.Column {
	if c.From == nil || c.Void {
		return nil
	}
	src := in.Col(c.From.Name)
	p := b.schema.Payload[i]
	if c.From.Type == column.StringType && (c.HMAC || c.Cast) {
		restoreOriginals(b.schema, src, in.Col(feed.RescuedData), i)
	}
	switch {
	case c.HMAC:
		column.MaskColumn(src, b.schema.Keys[i])
	case c.Cast:
		dst := &column.Column{Name: p.Name, Type: p.Type}
		dst.Reset()
		res := p.Rule.Cast(src, dst)
		b.rounded += res.Rounded
		for _, f := range res.Fails {
			b.items[f.Row] = append(b.items[f.Row], column.Rescued{Name: p.Delivered, Value: append([]byte(nil), f.Text...)})
		}
		return dst
	}
	return src
}

// restoreOriginals gives the values of a text column, payload i, back the bytes that
// were not valid UTF-8, which rescued keeps: masks and casts are of the original.
func restoreOriginals(s *ingest.Schema, c, rescued *column.Column, i int) {
	for row, code := range c.Codes {
		if code == 0 || rescued.IsNull(row) || !bytes.Contains(c.Dict.Value(code), ingest.Replacement) {
			continue
		}
		items, err := column.SplitRescue(rescued.Bytes(row))
		if err != nil {
			continue // carryRescued says so
		}
		for _, it := range items {
			if targets, _ := s.Feeds(it.Name); !slices.Contains(targets, i) {
				continue
			}
			original, err := base64.StdEncoding.DecodeString(string(it.Value))
			if err == nil && bytes.Equal(bytes.ToValidUTF8(original, ingest.Replacement), c.Dict.Value(code)) {
				c.Codes[row] = c.Dict.Add(original)
				break
			}
		}
	}
}

// carryRescued appends _rescued_data: what the rows had, without the columns
// that the schema masks or no longer has, and what did not cast now. What a row
// had already wins: it is the original, the column holds the repaired text.
func (b *builder) carryRescued(old *column.Column, selection []column.SourceRow) error {
	dst := &b.cols[len(b.cols)-1]
	for _, p := range selection {
		had := []byte(nil)
		if !old.IsNull(int(p.Row)) {
			had = old.Bytes(int(p.Row))
		}
		items := b.items[int(p.Row)]
		if had == nil && items == nil {
			dst.AppendNulls(1)
			continue
		}
		all, err := column.SplitRescue(had)
		if err != nil {
			return fmt.Errorf("_rescued_data %q: %w", had, err)
		}
		keep := all[:0]
		for _, it := range all {
			if b.schema.Rescues(it.Name) {
				keep = append(keep, it)
			}
		}
		keep = b.schema.AddRescued(keep, items)
		if len(keep) == 0 {
			dst.AppendNulls(1)
			continue
		}
		dst.AppendBytes(column.AppendRescue(nil, keep))
	}
	return nil
}
