package parquet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// CopyRowGroup writes a row group of src with some columns replaced. The
// others are copied as bytes, their page checksums verified, their statistics
// and page indexes kept. replace is by column name; its columns have the type
// of the schema and as many rows as the row group. A column of the schema that
// src lacks comes out all null; a column of src that the schema lacks is left
// out. Row groups of other programs or of another compression are encoded
// again, and so are columns as a plain file must not have them. After an error the
// file is of no use.
func (f *Writer) CopyRowGroup(src *File, group int, replace map[string]*column.Column) error {
	if err := f.begin(); err != nil {
		return err
	}
	if group < 0 || group >= src.RowGroups() {
		return fmt.Errorf("row group %d of a Parquet file that has %d", group, src.RowGroups())
	}
	if err := f.checkCopy(src, src.GroupRows(group), replace); err != nil {
		return err
	}
	from, err := src.group(group)
	if err != nil {
		return err
	}
	s := copied{File: src, readGroup: from, r: readers.Get().(*reader)}
	defer readers.Put(s.r)
	g := f.newGroup(from.rows)
	for i := range f.schema {
		if err := f.copyColumn(&s, i, g, replace[f.schema[i].Name]); err != nil {
			f.err = fmt.Errorf("copying row group %d, column %q: %w", group, f.schema[i].Name, err)
			return f.err
		}
	}
	f.endGroup(g)
	return f.err
}

func (f *Writer) checkCopy(src *File, rows int, replace map[string]*column.Column) error {
	known := 0
	for i := range f.schema {
		s := &f.schema[i]
		if c := replace[s.Name]; c != nil {
			known++
			if c.Name != s.Name || c.Type != s.Type {
				return fmt.Errorf("replacement %s %s for column %s %s", c.Name, c.Type, s.Name, s.Type)
			}
			if err := checkLen(c, rows); err != nil {
				return err
			}
			continue
		}
		if k := src.find(s.Name); k >= 0 && src.cols[k].Type != s.Type {
			return fmt.Errorf("column %q is %s in the Parquet file, not %s", s.Name, src.cols[k].Type, s.Type)
		}
	}
	if known != len(replace) {
		return errors.New("a replacement is for no column of the schema")
	}
	return nil
}

// copied is a row group that is copied.
type copied struct {
	*File
	*readGroup
	r       *reader
	regions *indexRegion // of the row group, once it is known
}

// copyColumn writes the i-th column of the schema: the replacement if there is
// one, else the bytes of src, else the values of src.
func (f *Writer) copyColumn(src *copied, i int, g *openGroup, c *column.Column) error {
	k := src.find(f.schema[i].Name)
	var old *format.ColumnMetaData // of a chunk that could be copied
	if k >= 0 && src.ours {
		chunk, err := src.chunk(src.readGroup, k)
		if err != nil {
			return err
		}
		m := &chunk.MetaData
		if m.Codec == f.codec && !(f.o.Plain && encodingOf(m) == format.DeltaBinaryPacked) {
			old = m
		}
	}
	switch {
	case c != nil:
	case old != nil:
		return f.copyChunk(src, k, i, g)
	default:
		c = &f.scratch
		c.Name, c.Type = f.schema[i].Name, f.schema[i].Type
		if k < 0 {
			c.Make(g.rows)
		} else if err := src.readColumn(src.r, src.readGroup, nil, k, c); err != nil {
			return err
		}
	}
	e, err := f.encoder(0)
	if err == nil {
		err = e.encodeLike(old, c, &f.chunks[0])
	}
	if err != nil {
		return err
	}
	return f.writeChunk(i, &f.chunks[0], g)
}

// copyChunk copies column k of src as column i.
func (f *Writer) copyChunk(src *copied, k, i int, g *openGroup) error {
	cc, err := src.chunk(src.readGroup, k)
	if err != nil {
		return err
	}
	if src.regions == nil {
		if src.regions, err = src.indexesOf(src.readGroup); err != nil {
			return err
		}
	}
	index, err := src.regions.columnIndex(cc)
	if err != nil {
		return err
	}
	r := src.r
	m := cc.MetaData
	at, size := chunkPlace(&m)
	r.chunk = room(r.chunk, int(size))
	if err := readAt(src.File.r, r.chunk, at); err != nil {
		return err
	}
	if err := f.walk(r.chunk, &m, at); err != nil {
		return err
	}
	m.DataPageOffset -= at
	return f.enterChunk(i, g, m, r.chunk, index)
}

// walk verifies the pages of a chunk that stands at an offset and enters their
// places in f.places.
func (f *Writer) walk(data []byte, m *format.ColumnMetaData, at int64) error {
	f.places = f.places[:0]
	rows, pos := int64(0), 0
	for pos < len(data) {
		h, _, size, err := nextPage(data[pos:], m, true)
		if err != nil {
			return fmt.Errorf("page at %d: %w", at+int64(pos), err)
		}
		dict := pos == 0 && m.DictionaryPageOffset > 0
		if dict != (h.Type == format.DictionaryPage) || dict != (at+int64(pos) < m.DataPageOffset) ||
			!dict && !soundHeader(&h, m) {
			return fmt.Errorf("page at %d: %w", at+int64(pos), errHeader)
		}
		if !dict {
			f.places = append(f.places, format.PageLocation{
				Offset: int64(pos), CompressedPageSize: int32(size), FirstRowIndex: rows})
			rows += int64(h.DataPageHeader.V.NumValues)
		}
		pos += size
	}
	if rows != m.NumValues {
		return fmt.Errorf("its pages have %d rows, not %d", rows, m.NumValues)
	}
	return nil
}

// soundHeader reports whether the header of a data page fits the footer.
func soundHeader(h *format.PageHeader, m *format.ColumnMetaData) bool {
	d := &h.DataPageHeader.V
	return h.Type == format.DataPage && h.DataPageHeader.Valid && d.NumValues >= 0 &&
		d.DefinitionLevelEncoding == format.RLE && slices.Contains(m.Encoding, d.Encoding)
}

// Replacing lists by name the columns that replace those of a copied row group. Nil ones
// are left out.
func Replacing(cols ...*column.Column) map[string]*column.Column {
	out := map[string]*column.Column{}
	for _, c := range cols {
		if c != nil {
			out[c.Name] = c
		}
	}
	return out
}
