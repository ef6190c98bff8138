package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/internal/column"
	"reconcile/internal/errclass"
	"reconcile/internal/feed"
)

// What is read of a table: the first blocks of its newest files.
const (
	mostTried  = 8    // files that are opened
	mostFiles  = 3    // files with rows
	mostBlocks = 2    // of each
	mostRows   = 4000 // of each
)

// sample is what was read of one table.
type sample struct {
	byKey  map[string]*field // by feed.Key
	fields []*field
}

// field is one column of the sample. Two spellings of a name are one column.
type field struct {
	name   string
	values column.Column
}

// read samples the newest files of a table. What is wrong with a file is noted in the
// table; it fails only if the source cannot be read at all.
func (p *sample) read(ctx context.Context, src *dump.Source, limits avro.Limits, t *Table) error {
	tried := 0
	for _, e := range t.entries {
		for key, err := range e.Files.All() {
			if err != nil {
				return err
			}
			if tried == mostTried || t.Files == mostFiles {
				return nil
			}
			tried++
			rows, err := p.file(ctx, src, limits, t, e, key)
			switch {
			case err == nil && rows > 0:
				t.Rows += rows
				t.Files++
			case err == nil:
			case ctx.Err() != nil:
				return ctx.Err()
			case errclass.Of(err) == errclass.SourceUnavailable:
				return fmt.Errorf("%s: %w", key, err)
			default:
				t.Faults = append(t.Faults, fmt.Sprintf("%s: %v", key, err))
			}
		}
	}
	return nil
}

// file adds the first rows of a file, and its columns to those of the table.
func (p *sample) file(ctx context.Context, src *dump.Source, limits avro.Limits, t *Table, e *dump.Entry, key string) (rows int, err error) {
	h, err := src.Open(ctx, key)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	size := h.Object().Size
	sc, err := partfile.NewScanner(io.NewSectionReader(h, 0, size), size, limits)
	if err != nil {
		return 0, err
	}
	dec := sc.Header().NewDecoder(limits)
	delivered := sc.Header().Fields()
	for _, f := range delivered {
		if published(e, f.Name) {
			t.addColumns([]string{f.Name})
		}
	}
	dst := make([]*column.Column, len(delivered))
	for i, f := range delivered {
		if published(e, f.Name) && f.Name != "" && !feed.IsExact(f.Name) && !feed.IsOurs(f.Name) {
			dst[i] = &column.Column{Type: column.StringType}
		}
	}
	var b avro.Block
	defer b.Free()
	for range mostBlocks {
		b.Free()
		if ok, err := sc.Next(&b); err != nil || !ok {
			return rows, err
		}
		if err := dec.Begin(&b); err != nil {
			return rows, err
		}
		for rows < mostRows {
			n, err := p.slice(dec, delivered, dst, mostRows-rows)
			if err != nil {
				return rows, err
			}
			if rows += n; n == 0 {
				break
			}
		}
	}
	return rows, nil
}

// slice adds the next rows of a block, and no more than most.
func (p *sample) slice(dec *avro.Decoder, fields []avro.Field, dst []*column.Column, most int) (int, error) {
	for _, c := range dst {
		if c != nil {
			c.Reset()
		}
	}
	recs, err := dec.Next(dst)
	if err != nil {
		return 0, err
	}
	n := min(len(recs.Ends), most)
	p.add(fields, dst, n)
	return n, nil
}

// published reports whether a field of a file belongs to a table: a manifest that lists
// columns leaves out the others, but for the eight that are always read.
func published(e *dump.Entry, field string) bool {
	return !e.HasColumns || feed.IsExact(field) || slices.ContainsFunc(e.Columns, func(c string) bool {
		return feed.Key(c) == feed.Key(field) || feed.AvroForm(c) == field
	})
}

func (p *sample) add(fields []avro.Field, cols []*column.Column, n int) {
	for i, c := range cols {
		if c == nil {
			continue
		}
		name := fields[i].Name
		f := p.byKey[feed.Key(name)]
		if f == nil {
			f = &field{name: name, values: column.Column{Type: column.StringType, Dict: column.NewDict()}}
			p.byKey[feed.Key(name)] = f
			p.fields = append(p.fields, f)
		}
		for row := range n {
			if !c.IsNull(row) {
				f.values.AppendBytes(c.Bytes(row))
			}
		}
	}
}
