package events

import (
	"context"
	"fmt"

	"reconcile/engine/native/pass"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// storedForm is how stored rows are read.
type storedForm struct {
	layout *rules.Layout
	key    string        // name of the column
	rank   map[int64]int // of dumps
	most   int64         // bytes of columns that are read together
	// records are the columns whose values records have; nil unless they are very many.
	records []column.Column
}

func newStoredForm(r *pass.Run, l *rules.Layout) storedForm {
	f := storedForm{layout: l, key: r.Schema.KeyName, rank: r.Rank, most: int64(r.Env.Limits.Budget.FileRowGroup())}
	if r.Env.Limits.Wide(len(r.Schema.Payload)) {
		f.records = l.PayloadBatch(l.Columns)
	}
	return f
}

// storedPart is rows of a row group of stored rows.
type storedPart struct {
	batch *column.Batch // their columns; of very many, those that say where a row belongs
	// records have the values of very many columns, of each row: in a batch of few rows these
	// take many times as much.
	records [][]byte
}

// partOf returns how many rows of a row group of so many are read together.
func (f *storedForm) partOf(rd sinks.GroupReader, group, rows int) int {
	return sinks.PartOf(rd, group, f.layout.Columns, rows, f.most)
}

// read reads the rows from one up to another of a row group of so many.
func (f *storedForm) read(ctx context.Context, rd sinks.GroupReader, group, rows, from, to int) (*storedPart, error) {
	read := func(columns []column.Column, b *column.Batch) error {
		return sinks.ReadPart(ctx, rd, group, columns, rows, from, to, b)
	}
	p := &storedPart{batch: &column.Batch{Own: true}}
	if f.records == nil {
		return p, read(f.layout.Columns, p.batch)
	}
	l := f.layout
	if err := read(l.Only(l.Key, l.RawUser, l.Dump, l.Rescued), p.batch); err != nil {
		return nil, err
	}
	var one column.Batch
	return p, p.takeRecords(f.records, func(i int) (*column.Column, error) {
		if err := read(f.records[i:i+1], &one); err != nil {
			return nil, err
		}
		return &one.Cols[0], nil
	})
}

// ofBatch returns rows that were read with all columns.
func (f *storedForm) ofBatch(b *column.Batch) (*storedPart, error) {
	p := &storedPart{batch: b}
	if f.records == nil {
		return p, nil
	}
	cols := f.layout.PayloadBatch(b.Cols)
	return p, p.takeRecords(f.records, func(i int) (*column.Column, error) { return &cols[i], nil })
}

// takeRecords makes records of the values of columns, which are read one after the other.
func (p *storedPart) takeRecords(columns []column.Column, read func(i int) (*column.Column, error)) error {
	p.records = make([][]byte, p.batch.N)
	for i := range columns {
		c, err := read(i)
		if err != nil {
			return err
		}
		for row := range p.records {
			p.records[row] = rows.AppendValue(p.records[row], c, row)
		}
	}
	return nil
}

// chunk gives stored rows their versions and verdicts: those of overrides, by position from
// base on, or else otherwise.
func (f *storedForm) chunk(p *storedPart, part int64, overrides map[int]rules.Verdict, base int, otherwise rules.Verdict) (*rows.Chunk, error) {
	b := p.batch
	ch := &rows.Chunk{Batch: b, Rows: make([]rules.Row, b.N), Verdicts: rows.NewVerdicts(b.N)}
	keys, raws, dumps := b.Col(f.key).Ints, b.Col(feed.RawUserID).Ints, b.Col(feed.DumpID).Ints
	for i := range b.N {
		ver, err := rules.Version(f.rank[dumps[i]], 0, 0)
		if err != nil {
			return nil, fmt.Errorf("stored row of dump %d: %w", dumps[i], err)
		}
		ch.Rows[i] = rules.Row{Part: part, Raw: raws[i], Key: keys[i], Ver: ver, At: uint32(i)}
		v, ok := overrides[base+i]
		if !ok {
			v = otherwise
		}
		if v != rules.Publish {
			ch.Verdicts.Set(i, v)
		}
	}
	if p.records != nil {
		ch.SetRecords(f.records, p.records)
	}
	return ch, nil
}

// partReader reads all rows of a file, a part at a time. Of very many columns it is none of
// the batches that the file's reader gives, which have all of them.
type partReader struct {
	form *storedForm
	rd   sinks.Reader

	groups []int // rows of the row groups
	group  int
	row    int // of the row group, where the next part begins
}

// next returns nil behind the last part.
func (r *partReader) next(ctx context.Context) (*storedPart, error) {
	rd, ok := r.rd.(sinks.GroupReader)
	if r.form.records == nil || !ok {
		b, err := r.rd.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		return r.form.ofBatch(b)
	}
	if r.groups == nil {
		r.groups = rd.Groups()
	}
	for ; r.group < len(r.groups); r.group, r.row = r.group+1, 0 {
		n, from := r.groups[r.group], r.row
		if from < n {
			r.row += r.form.partOf(rd, r.group, n)
			return r.form.read(ctx, rd, r.group, n, from, r.row)
		}
	}
	return nil, nil
}
