package parquet

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// readers holds a *reader for each read under way at a time, of whatever file: many
// files are opened to be read once.
var readers = sync.Pool{New: func() any { return new(reader) }}

// reader is the scratch memory of reading; one goroutine may use it at a time.
type reader struct {
	chunk    []byte // the bytes of a column chunk
	body     []byte // a page, decompressed
	ids      []uint32
	codes    []uint32 // of a dictionary entry: its code
	nums     []int64  // dictionary entries
	vals     []int64
	null     []bool
	selector rowSelector
	comp     decompressor
}

// ReadRowGroup reads the wanted columns of a row group into dst, in the order
// of want; nil wants all. Names and types of want count; a column that the
// file lacks comes out all null, one of another type is an error. What dst
// held is lost, its memory is used again. Nothing in dst refers to the file.
func (f *File) ReadRowGroup(group int, want []column.Column, dst *column.Batch) error {
	return f.readRows(group, nil, want, dst)
}

// readRows reads all rows of a row group if rows is nil.
func (f *File) readRows(group int, rows []uint32, want []column.Column, dst *column.Batch) error {
	if group < 0 || group >= len(f.groups) {
		return fmt.Errorf("row group %d of a Parquet file that has %d", group, len(f.groups))
	}
	if want == nil {
		want = f.cols
	}
	g, err := f.group(group)
	if err != nil {
		return err
	}
	r := readers.Get().(*reader)
	defer readers.Put(r)
	if dst.N = f.GroupRows(group); rows != nil {
		dst.N = len(rows)
	}
	dst.Cols = resize(dst.Cols, len(want))
	for k := range want {
		c := &dst.Cols[k]
		c.Name, c.Type = want[k].Name, want[k].Type
		i := f.find(c.Name)
		if i < 0 {
			c.Make(dst.N)
			continue
		}
		if c.Type != f.cols[i].Type {
			return fmt.Errorf("column %q is %s in the Parquet file, not %s", c.Name, f.cols[i].Type, c.Type)
		}
		if err := f.readColumn(r, g, rows, i, c); err != nil {
			return fmt.Errorf("reading Parquet row group %d, column %q: %w", group, c.Name, err)
		}
	}
	return nil
}

// resize gives cols n entries, keeping the memory of those that it has or had.
func resize(cols []column.Column, n int) []column.Column {
	cols = cols[:cap(cols)]
	if len(cols) < n {
		cols = append(cols, make([]column.Column, n-len(cols))...)
	}
	return cols[:n]
}

func (f *File) readColumn(r *reader, g *readGroup, rows []uint32, i int, c *column.Column) error {
	chunk, err := f.chunk(g, i)
	if err != nil {
		return err
	}
	m := &chunk.MetaData
	at, size := chunkPlace(m)
	d := columnReader{r: r, m: m, c: c, rows: g.rows, want: g.rows, ours: f.ours,
		optional: !f.must[i]}
	if rows != nil {
		d.some, d.selection, d.want = true, rows, len(rows)
	}
	d.begin()
	if rows != nil && size > largeChunk {
		return d.selectedPages(f.r, at, at+size)
	}
	r.chunk = room(r.chunk, int(size))
	if err := readAt(f.r, r.chunk, at); err != nil {
		return err
	}
	d.rest = r.chunk
	for d.done < d.rows || len(d.rest) > 0 {
		here := at + size - int64(len(d.rest))
		if err := d.page(); err != nil {
			return fmt.Errorf("page at %d: %w", here, err)
		}
	}
	return nil
}

// largeChunk is how many bytes a column chunk has of which only the pages are read that
// have selected rows.
const largeChunk = 4 << 20

// firstOfPage is how much of a page is read to see whether it is wanted: more than its
// header.
const firstOfPage = 512

// selectedPages decodes the selected rows of a chunk that stands between two places of r.
func (d *columnReader) selectedPages(r io.ReaderAt, at, end int64) error {
	for d.done < d.rows && len(d.selection) > 0 {
		d.r.chunk = room(d.r.chunk, int(min(firstOfPage, end-at)))
		if err := readAt(r, d.r.chunk, at); err != nil {
			return err
		}
		var h format.PageHeader
		n, err := decodePageHeader(d.r.chunk, &h)
		if err != nil && end-at > firstOfPage { // it may be longer
			d.r.chunk = room(d.r.chunk, int(min(maxHeader, end-at)))
			if err = readAt(r, d.r.chunk, at); err == nil {
				n, err = decodePageHeader(d.r.chunk, &h)
			}
		}
		size := int64(n) + int64(h.CompressedPageSize)
		if err == nil && (h.CompressedPageSize < 0 || size > end-at) {
			err = errHeader
		}
		if err != nil {
			return fmt.Errorf("page at %d: its header: %w", at, err)
		}
		if h.Type != format.DataPage || !h.DataPageHeader.Valid || !d.skipUnselected(int(h.DataPageHeader.V.NumValues)) {
			d.r.chunk = room(d.r.chunk, int(size))
			if err := readAt(r, d.r.chunk, at); err != nil {
				return err
			}
			d.rest = d.r.chunk
			if err := d.page(); err != nil {
				return fmt.Errorf("page at %d: %w", at, err)
			}
		}
		at += size
	}
	return nil
}

// columnReader decodes one column chunk into a column.
type columnReader struct {
	r         *reader
	m         *format.ColumnMetaData
	c         *column.Column
	rest      []byte // what of the chunk is not yet read
	rows      int
	done      int // rows decoded or passed over
	want      int // rows that the column will have
	out       int // those that it has
	some      bool
	selection []uint32 // with some: the rows that are wanted and not decoded yet
	ours      bool
	optional  bool
	hasDict   bool
	entries   int    // of the dictionary page
	spare     []bool // memory for null marks
}

func (d *columnReader) begin() {
	d.spare = d.c.Null[:0]
	d.c.Reset()
	switch n := d.want; d.c.Type.Kind() {
	case column.KindBytes:
		d.c.Codes = roomOf(d.c.Codes, n)
	case column.KindInt64:
		d.c.Ints = roomOf(d.c.Ints, n)
	default:
		d.c.Floats = roomOf(d.c.Floats, n)
	}
	d.r.null = roomOf(d.r.null, d.rows)
}

// roomOf returns a slice of n entries of undefined content, b's memory if it
// is large enough.
func roomOf[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}

var errHeader = errors.New("damaged page header")

// nextPage splits the page at the front of rest off: its header, its body, the
// size of both. The checksum of the body has been verified.
func nextPage(rest []byte, m *format.ColumnMetaData, ours bool) (h format.PageHeader, body []byte, size int, err error) {
	n, err := decodePageHeader(rest[:min(len(rest), maxHeader)], &h)
	if err != nil {
		return h, nil, 0, fmt.Errorf("its header: %w", err)
	}
	length, raw := int(h.CompressedPageSize), int(h.UncompressedPageSize)
	if length < 0 || raw < 0 || length > len(rest)-n || int64(raw) > m.TotalUncompressedSize {
		return h, nil, 0, errHeader
	}
	body = rest[n : n+length]
	if crc := crc32.ChecksumIEEE(body); int32(crc) != h.CRC && (ours || h.CRC != 0) {
		return h, nil, 0, fmt.Errorf("its checksum is %08x, not %08x as the header says", crc, uint32(h.CRC))
	}
	return h, body, n + length, nil
}

// page decodes the next page of the chunk.
func (d *columnReader) page() error {
	h, body, size, err := nextPage(d.rest, d.m, d.ours)
	if err != nil {
		return err
	}
	if d.some && h.Type == format.DataPage && h.DataPageHeader.Valid && d.skipUnselected(int(h.DataPageHeader.V.NumValues)) {
		d.rest = d.rest[size:]
		return nil
	}
	page, err := d.r.comp.decode(d.r.body, body, d.m.Codec, int(h.UncompressedPageSize))
	if err != nil {
		return err
	}
	if d.m.Codec != format.Uncompressed {
		d.r.body = page
	}
	d.rest = d.rest[size:]
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid && d.done == 0 && !d.hasDict:
		return d.dictPage(&h.DictionaryPageHeader.V, page)
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return d.dataPage(&h.DataPageHeader.V, page)
	case h.Type == format.DataPageV2:
		return errors.New("data pages v2 are not supported")
	}
	return errHeader
}

func (d *columnReader) dataPage(h *format.DataPageHeader, page []byte) error {
	n := int(h.NumValues)
	if n < 0 || n > d.rows-d.done || !d.listed(h.Encoding) || h.DefinitionLevelEncoding != format.RLE {
		return errHeader
	}
	null, present := d.r.null[:n], n
	if d.optional {
		var err error
		if page, present, err = decodeLevels(page, null); err != nil {
			return fmt.Errorf("its definition levels: %w", err)
		}
	}
	if present == n {
		null = nil
	}
	var err error
	k := n
	switch {
	case d.some:
		k = d.selectedIn(n)
		err = d.decodeSelected(k, null, present, h.Encoding, page)
		d.selection = d.selection[k:]
	case d.c.Type.Kind() == column.KindBytes:
		err = d.texts(d.c.Codes[d.out:d.out+n], null, present, h.Encoding, page)
	default:
		err = d.numbers(n, null, present, h.Encoding, page)
	}
	d.done, d.out = d.done+n, d.out+k
	return err
}

// listed reports whether the footer announces an encoding.
func (d *columnReader) listed(e format.Encoding) bool {
	for _, l := range d.m.Encoding {
		if l == e {
			// A chunk with a dictionary lists PLAIN for that page, too.
			return e != format.Plain || !d.ours || !d.hasDict
		}
	}
	return false
}

// indexes decodes the dictionary indexes of a page.
func (d *columnReader) indexes(page []byte, n int) ([]uint32, error) {
	if !d.hasDict {
		return nil, errors.New("there is no dictionary page")
	}
	if n == 0 {
		return nil, nil
	}
	if len(page) == 0 || page[0] > 32 {
		return nil, errRuns
	}
	d.r.ids = roomOf(d.r.ids, n)
	return d.r.ids, decodeHybrid(d.r.ids, page[1:], uint(page[0]))
}
