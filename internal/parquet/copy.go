package parquet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/format"
	"github.com/zeebo/xxh3"

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
	r := readers.Get().(*reader)
	defer readers.Put(r)
	g := f.newGroup(src.GroupRows(group))
	for i := range f.schema {
		if err := f.copyColumn(r, src, group, i, g, replace[f.schema[i].Name]); err != nil {
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

// copyColumn writes the i-th column of the schema: the replacement if there is
// one, else the bytes of src, else the values of src.
func (f *Writer) copyColumn(r *reader, src *File, group, i int, g *writtenGroup, c *column.Column) error {
	k := src.find(f.schema[i].Name)
	var old *format.ColumnMetaData // of a chunk that could be copied
	if k >= 0 && src.ours {
		m := &src.meta.RowGroups[group].Columns[k].MetaData
		if m.Codec == f.codec && !(f.o.Plain && encodingOf(m) == format.DeltaBinaryPacked) {
			old = m
		}
	}
	switch {
	case c != nil:
	case old != nil:
		return f.copyChunk(r, src, group, k, i, g)
	default:
		c = &f.scratch
		c.Name, c.Type = f.schema[i].Name, f.schema[i].Type
		if k < 0 {
			c.Make(g.rows)
		} else if err := src.readColumn(r, group, nil, k, c); err != nil {
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
func (f *Writer) copyChunk(r *reader, src *File, group, k, i int, g *writtenGroup) error {
	regions, err := src.indexes()
	if err != nil {
		return err
	}
	cc := &src.meta.RowGroups[group].Columns[k]
	index, err := regions.columnIndex(cc)
	if err != nil {
		return err
	}
	m := cc.MetaData
	at, size := chunkPlace(&m)
	r.chunk = room(r.chunk, int(size))
	if err := readAt(src.r, r.chunk, at); err != nil {
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

// indexRegion is the page indexes of a file as bytes.
type indexRegion struct {
	at   int64
	data []byte
}

// readIndexes reads the place that the footer entry names.
func (f *File) readIndexes(entry string) (indexRegion, error) {
	var at, size int64
	var sum uint64
	if _, err := fmt.Sscanf(entry, "%d,%d,%x", &at, &size, &sum); err != nil || at < 0 || size < 0 || at > f.end-size {
		return indexRegion{}, fmt.Errorf("footer entry %s is %q", indexesKey, entry)
	}
	data := make([]byte, size)
	if err := readAt(f.r, data, at); err != nil {
		return indexRegion{}, fmt.Errorf("page indexes: %w", err)
	}
	if xxh3.Hash(data) != sum {
		return indexRegion{}, fmt.Errorf("page indexes: their checksum does not fit")
	}
	return indexRegion{at, data}, nil
}

// columnIndex returns the bytes of the column index of a chunk, nil if it has
// none.
func (x indexRegion) columnIndex(cc *format.ColumnChunk) ([]byte, error) {
	n := int64(cc.ColumnIndexLength)
	if n == 0 {
		return nil, nil
	}
	at := cc.ColumnIndexOffset - x.at
	if n < 0 || at < 0 || at > int64(len(x.data))-n {
		return nil, errors.New("its column index is not where the indexes are")
	}
	return x.data[at : at+n], nil
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
