package parquet

import (
	"errors"
	"fmt"
	"io"
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
	m, begin := cc.MetaData, f.at
	at, size := chunkPlace(&m)
	pages := chunkPages{r: src.File.r, m: &m, at: at, end: at + size, buf: src.r.chunk[:0]}
	err = f.copyPages(&pages)
	if src.r.chunk = pages.buf; err != nil {
		return err
	}
	m.DataPageOffset -= at
	return f.enterChunk(i, g, m, begin, index)
}

// copyPages verifies the pages of a chunk, writes them and enters their places in f.places.
func (f *Writer) copyPages(p *chunkPages) error {
	f.places = f.places[:0]
	rows, first, written := int64(0), p.at, f.at
	for p.rest() > 0 {
		at := p.end - p.rest()
		h, page, err := p.next()
		if err != nil {
			return fmt.Errorf("page at %d: %w", at, err)
		}
		dict := at == first && p.m.DictionaryPageOffset > 0
		if dict != (h.Type == format.DictionaryPage) || dict != (at < p.m.DataPageOffset) || !dict && !soundHeader(&h, p.m) {
			return fmt.Errorf("page at %d: %w", at, errHeader)
		}
		if !dict {
			f.places = append(f.places, format.PageLocation{
				Offset: f.at - written, CompressedPageSize: int32(len(page)), FirstRowIndex: rows})
			rows += int64(h.DataPageHeader.V.NumValues)
		}
		if err := f.write(page); err != nil {
			return err
		}
	}
	if rows != p.m.NumValues {
		return fmt.Errorf("its pages have %d rows, not %d", rows, p.m.NumValues)
	}
	return nil
}

// copiedAtOnce is how many bytes of a chunk are read at once, if no page has more.
const copiedAtOnce = 4 << 20

// chunkPages reads the pages of a chunk of ours one after the other, as they are stored.
type chunkPages struct {
	r   io.ReaderAt
	m   *format.ColumnMetaData
	at  int64  // of what was not read yet
	end int64  // of the chunk
	buf []byte // what was read
	pos int    // of the next page in it
}

// rest is how many bytes there are from the next page on.
func (p *chunkPages) rest() int64 { return p.end - p.at + int64(len(p.buf)-p.pos) }

// next returns the header of the next page, and the page with its header as long as no
// other is asked for.
func (p *chunkPages) next() (h format.PageHeader, page []byte, err error) {
	if err := p.have(min(maxHeader, p.rest())); err != nil {
		return h, nil, err
	}
	n, err := decodePageHeader(p.buf[p.pos:min(p.pos+maxHeader, len(p.buf))], &h)
	if err != nil {
		return h, nil, fmt.Errorf("its header: %w", err)
	}
	size := int64(n) + int64(h.CompressedPageSize)
	if h.CompressedPageSize < 0 || size > p.rest() {
		return h, nil, errHeader
	}
	if err := p.have(size); err != nil {
		return h, nil, err
	}
	page = p.buf[p.pos : p.pos+int(size)]
	p.pos += int(size)
	h, _, _, err = nextPage(page, p.m, true)
	return h, page, err
}

// have makes sure that so many bytes from the next page on were read.
func (p *chunkPages) have(n int64) error {
	left := p.buf[p.pos:]
	if int64(len(left)) >= n {
		return nil
	}
	size := min(max(n, copiedAtOnce), p.rest())
	buf := p.buf
	if int64(cap(buf)) < size {
		buf = make([]byte, 0, size)
	}
	copy(buf[:size], left)
	p.buf, p.pos = buf[:size], 0
	more := p.buf[len(left):]
	if err := readAt(p.r, more, p.at); err != nil {
		return err
	}
	p.at += int64(len(more))
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
