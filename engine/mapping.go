package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/state"
)

// mappingRead is a user mapping as one dump delivered it.
type mappingRead struct {
	dump    int64
	digest  string // of the manifest's entry
	mapping *identity.Mapping
	report  *identity.Report
	bad     []badRow
}

// readHeader reads the header of a part file.
func readHeader(ctx context.Context, src *dump.Source, key string) (*avro.Header, error) {
	h, err := src.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	sc, err := scanHandle(h)
	if err != nil {
		return nil, err
	}
	return sc.Header(), nil
}

// readMapping reads the complete mapping of one dump. A file that cannot be
// used is a *fileError.
func readMapping(ctx context.Context, src *dump.Source, id int64, e *dump.Entry) (*mappingRead, error) {
	m := &mappingRead{dump: id, digest: e.Digest}
	b := identity.NewBuilder()
	for i, f := range e.Files {
		sf := sourceFile{dump: id, index: i, key: f.Key}
		if err := m.readFile(ctx, src, sf, b); err != nil {
			return nil, &fileError{sf, err}
		}
	}
	m.mapping, m.report = b.Build()
	return m, nil
}

func (m *mappingRead) readFile(ctx context.Context, src *dump.Source, f sourceFile, b *identity.Builder) error {
	h, err := src.Open(ctx, f.key)
	if err != nil {
		return err
	}
	defer h.Close()
	sc, err := scanHandle(h)
	if err != nil {
		return err
	}
	dec, err := sc.Header().NewDecoder()
	if err != nil {
		return err
	}
	fields := sc.Header().Fields()
	names := [...]string{colFrom, colTo, colTime}
	var src3, out [3]column.Column
	var at [3]int
	dst := make([]*column.Column, len(fields))
	for i, n := range names {
		at[i] = -1
		for j, fl := range fields {
			if fold(fl.Name) == n {
				at[i] = j
				src3[i].Type = nativeType(fl.Native)
				dst[j] = &src3[i]
			}
		}
	}
	first := 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var blk avro.Block
		ok, err := sc.Next(&blk)
		if err != nil || !ok {
			return err
		}
		for i := range src3 {
			src3[i].Reset()
		}
		if err := dec.Decode(&blk, dst); err != nil {
			return err
		}
		n := int(blk.Count)
		out = [3]column.Column{{Type: typeInt64}, {Type: typeInt64}, {Type: typeTimestamp}}
		for i := range out {
			switch {
			case at[i] < 0:
				out[i].AppendNulls(n)
			case i == 2:
				column.CastTimestamp(&src3[i], &out[i])
			default:
				column.CastID(&src3[i], &out[i])
			}
		}
		if err := m.take(f, b, &src3, &out, at, n, first); err != nil {
			return err
		}
		first += n
	}
}

// take adds the rows of one block; those without both ids go to the quarantine.
func (m *mappingRead) take(f sourceFile, b *identity.Builder, src, out *[3]column.Column, at [3]int, n, first int) error {
	for i := range n {
		ver, err := rows.Version(0, f.index, first+i)
		if err != nil {
			return err
		}
		if !out[0].IsNull(i) && !out[1].IsNull(i) {
			e := identity.Entry{From: out[0].Ints[i], To: out[1].Ints[i], Version: ver}
			if !out[2].IsNull(i) {
				e.Time, e.HasTime = out[2].Ints[i], true
			}
			b.Add(e)
			continue
		}
		names := [...]string{colFrom, colTo, colTime}
		bad := badRow{Table: tableMapping, Dump: f.dump, File: f.key, Row: int64(first + i)}
		var items []column.Rescued
		for c := range src {
			if at[c] < 0 || src[c].IsNull(i) {
				continue
			}
			items = append(items, column.Rescued{Name: names[c], Value: column.AppendText(nil, &src[c], i)})
		}
		for c := 1; c >= 0; c-- {
			if out[c].IsNull(i) {
				bad.Reason = names[c] + " is missing or not an integer"
			}
		}
		bad.Data = string(column.AppendRescue(nil, items))
		m.bad = append(m.bad, bad)
	}
	return nil
}

// store writes the mapping as an object of the state.
func (m *mappingRead) store(ctx context.Context, store *state.Store) (*state.Sealed, error) {
	o := store.NewObject()
	if err := m.mapping.Encode(o); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the user mapping: %w", err), o.Abort())
	}
	obj, err := o.Close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = int64(m.mapping.Len())
	return obj, nil
}

// loadMapping reads a mapping that the state keeps; the zero Ref is the empty
// mapping.
func loadMapping(ctx context.Context, store *state.Store, ref state.Ref) (_ *identity.Mapping, err error) {
	if ref.IsZero() {
		m, _ := identity.NewBuilder().Build()
		return m, nil
	}
	obj, err := store.OpenObject(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("the user mapping: %w", err)
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	m, err := identity.Decode(io.NewSectionReader(obj, 0, obj.Size()), obj.Size())
	if err != nil {
		return nil, fmt.Errorf("the user mapping, object %s of the state: %w", ref.Digest, err)
	}
	return m, nil
}

// mappingTable writes user_migrations: the newest mapping as delivered, plus
// where each id ends.
func (r *tableRun) mappingTable(ctx context.Context) (_ *change, err error) {
	p := &part{}
	var data *multiWriter
	defer func() {
		if err != nil && data != nil {
			data.abort()
		}
	}()
	for lo := 0; lo < r.full.Len(); lo += r.env.lim.groupRows {
		if data == nil {
			if data, err = r.attempt.openData(ctx); err != nil {
				return nil, err
			}
		}
		b := r.mappingBatch(lo, min(lo+r.env.lim.groupRows, r.full.Len()))
		p.record.Rows += int64(b.N)
		if err := data.Write(ctx, b); err != nil {
			return nil, err
		}
	}
	c := &change{table: r.newTable(), all: true}
	if data != nil {
		if err := r.attempt.closeData(data, "part-00000.parquet", p); err != nil {
			return nil, err
		}
		c.parts = []*part{p}
	}
	if !r.mapping.Quarantine.IsZero() {
		c.table.Quarantine = []state.DumpRef{{Dump: r.mapping.Dump, Ref: r.mapping.Quarantine}}
	}
	if err := r.finish(ctx, c, &ingest{}); err != nil {
		return nil, err
	}
	c.countNet(r)
	return c, nil
}

func (r *tableRun) mappingBatch(lo, hi int) *column.Batch {
	b := &column.Batch{N: hi - lo, Cols: r.schema.published()}
	for i := lo; i < hi; i++ {
		from := r.full.From(i)
		b.Cols[0].AppendInt(from)
		b.Cols[1].AppendInt(r.full.To(i))
		if t, ok := r.full.Time(i); ok {
			b.Cols[2].AppendInt(t)
		} else {
			b.Cols[2].AppendNulls(1)
		}
		b.Cols[3].AppendInt(r.canon(from))
		b.Cols[4].AppendInt(r.mapping.Dump)
	}
	return b
}
