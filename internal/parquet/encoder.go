package parquet

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// Pool keeps the encoders of closed writers for new ones: an encoder is half a
// megabyte and more that many small files need not allocate again. The zero value is
// ready; any number of goroutines may use it. It serves writers of the same
// Compression and Level; of others, the encoders are rebuilt.
type Pool struct{ encoders sync.Pool }

// encoder turns one column of a batch into the pages of a column chunk. It
// keeps its memory from one chunk to the next; one goroutine may use it at a
// time.
type encoder struct {
	pageRows int
	plain    bool // as Options has it
	comp     *compressor
	texts    texts
	numbers  numbers

	// of the chunk at hand
	col    *column.Column
	like   *format.ColumnMetaData // a chunk that it replaces, or nil
	enc    format.Encoding
	raw    []byte // a page before compression
	trial  []byte // a page compressed to learn its size
	levels []byte // presence bits of a page
	out    *chunk

	header  format.PageHeader
	headBuf bytes.Buffer
	thrift  *thrift.Encoder
}

// page is what the indexes say of a data page.
type page struct {
	at         int // offset in the chunk, of the header
	size       int // with the header
	row        int // first row
	rows       int
	nulls      int
	bounded    bool  // min and max are known
	minN, maxN int64 // of a numeric column; doubles as their bits
	min, max   []byte
}

// chunk is an encoded column chunk: its bytes and all that the footer says of
// it, offsets counting from its start.
type chunk struct {
	data     []byte
	typ      format.Type
	enc      format.Encoding
	dictSize int // size of the dictionary page with its header, 0 without one
	rawSize  int // size of headers and uncompressed pages
	rows     int
	pages    []page
	index    columnIndex
}

func newEncoder(o *Options, codec format.CompressionCodec) (*encoder, error) {
	comp, err := newCompressor(codec, o.Level)
	if err != nil {
		return nil, err
	}
	e := &encoder{pageRows: o.PageRows, plain: o.Plain, comp: comp}
	e.thrift = newThriftEncoder(&e.headBuf)
	return e, nil
}

// encode fills out with the column chunk of c, whose memory it reuses.
func (e *encoder) encode(c *column.Column, out *chunk) error {
	n := c.Len()
	e.col, e.out = c, out
	*out = chunk{data: out.data[:0], pages: out.pages[:0], index: out.index, typ: physical(c.Type), rows: n}
	var err error
	if c.Type.Kind() == column.KindBytes {
		err = e.encodeTexts()
	} else {
		err = e.encodeNumbers()
	}
	if err == nil {
		err = out.index.build(e)
	}
	e.release()
	if err != nil {
		return fmt.Errorf("column %q: %w", c.Name, err)
	}
	return nil
}

// longPage is from how many bytes on the memory of a page is not kept: most have pageBytes,
// and only a long text makes a page longer.
const longPage = 4 * pageBytes

// release lets go of what belongs to the chunk that was encoded.
func (e *encoder) release() {
	for i := range e.out.pages {
		e.out.pages[i].min, e.out.pages[i].max = nil, nil
	}
	e.col, e.out, e.texts.dict = nil, nil, nil
	if cap(e.raw) > longPage {
		e.raw = nil
	}
	if cap(e.trial) > longPage {
		e.trial = nil
	}
}

// encodeLike is encode for numbers that replace those of a chunk of ours and differ
// from them in some rows: its encoding is taken over, for trying all of them costs
// more than it saves. Texts are encoded as usual.
func (e *encoder) encodeLike(m *format.ColumnMetaData, c *column.Column, out *chunk) error {
	e.like = m
	defer func() { e.like = nil }()
	return e.encode(c, out)
}

func (e *encoder) encodeTexts() error {
	t := &e.texts
	if err := t.load(e.col); err != nil {
		return err
	}
	if err := e.textDictionary(); err != nil {
		return err
	}
	large := e.enc == format.Plain && t.bytes > pageBytes
	for row, at := 0, 0; row < e.out.rows; {
		end := min(row+e.pageRows, e.out.rows)
		if large {
			end = e.pageEnd(row, end, at)
		}
		p := page{row: row, rows: end - row}
		k := end - row
		if len(t.ids) < e.out.rows {
			e.levels, k = codeBits(e.levels[:0], e.col.Codes[row:end])
		}
		ids := t.ids[at : at+k]
		if k > 0 {
			least, most := t.bounds(ids)
			p.bounded, p.min, p.max = true, t.value(least), t.value(most)
		}
		e.raw = appendLevels(e.raw[:0], e.levels, p.rows, k)
		if e.enc == format.RLEDictionary {
			e.raw = e.appendIndexes(ids, t.width())
		} else {
			e.raw = t.appendIDs(e.raw, ids)
		}
		if err := e.dataPage(p, k); err != nil {
			return err
		}
		row, at = end, at+k
	}
	return nil
}

// textDictionary chooses the encoding of text and writes the dictionary page if
// there is to be one.
func (e *encoder) textDictionary() error {
	t := &e.texts
	e.enc = format.Plain
	if !t.pays() {
		return nil
	}
	e.enc = format.RLEDictionary
	e.raw = t.appendPlain(e.raw[:0], t.used)
	return e.dictPage(len(t.used))
}

// pageEnd returns where a page of text that begins at row ends so that it does not
// get much larger than pageBytes; at is the place of its first value.
func (e *encoder) pageEnd(row, end, at int) int {
	size := 0
	for i, code := range e.col.Codes[row:end] {
		if code == 0 {
			continue
		}
		size += 4 + len(e.texts.value(e.texts.ids[at]))
		at++
		if size >= pageBytes {
			return row + i + 1
		}
	}
	return end
}

func (e *encoder) appendIndexes(ids []uint32, width uint) []byte {
	return appendHybrid(append(e.raw, byte(width)), ids, width)
}

func (e *encoder) encodeNumbers() error {
	x := &e.numbers
	x.load(e.col)
	if err := e.checkNarrow(); err != nil {
		return err
	}
	if e.enc = encodingOf(e.like); !x.can(e.enc, e.plain) {
		e.enc = x.choose(e)
	}
	if e.enc == format.RLEDictionary {
		e.raw = x.appendPlain(e.raw[:0], x.dict)
		if err := e.dictPage(len(x.dict)); err != nil {
			return err
		}
	}
	for row, at := 0, 0; row < e.out.rows; {
		end := min(row+e.pageRows, e.out.rows)
		p, k := page{row: row, rows: end - row}, end-row
		if e.col.Null != nil {
			e.levels, k = nullBits(e.levels[:0], e.col.Null[row:end])
		}
		vals := x.vals[at : at+k]
		if k > 0 {
			p.minN, p.maxN, p.bounded = x.bounds(vals)
		}
		e.raw = appendLevels(e.raw[:0], e.levels, p.rows, k)
		switch e.enc {
		case format.RLEDictionary:
			e.raw = e.appendIndexes(x.ids[at:at+k], x.width())
		case format.DeltaBinaryPacked:
			e.raw = appendDelta(e.raw, vals, x.typ == format.Int32)
		default:
			e.raw = x.appendPlain(e.raw, vals)
		}
		if err := e.dataPage(p, k); err != nil {
			return err
		}
		row, at = end, at+k
	}
	return nil
}

// checkNarrow refuses values that 32 bits do not hold.
func (e *encoder) checkNarrow() error {
	x := &e.numbers
	if x.typ != format.Int32 || len(x.vals) == 0 {
		return nil
	}
	least, most := slices.Min(x.vals), slices.Max(x.vals)
	if least < math.MinInt32 || most > math.MaxInt32 {
		return fmt.Errorf("values from %d to %d do not fit the 32 bits of a %s", least, most, e.col.Type)
	}
	return nil
}

// dictPage writes e.raw as the dictionary page of n values.
func (e *encoder) dictPage(n int) error {
	e.header = format.PageHeader{Type: format.DictionaryPage}
	e.header.DictionaryPageHeader.Set(format.DictionaryPageHeader{NumValues: int32(n), Encoding: format.Plain})
	size, err := e.writePage()
	e.out.dictSize = size
	return err
}

// dataPage writes e.raw as a data page with k values that are not null.
func (e *encoder) dataPage(p page, k int) error {
	p.nulls = p.rows - k
	p.at = len(e.out.data)
	e.header = format.PageHeader{Type: format.DataPage}
	e.header.DataPageHeader.Set(format.DataPageHeader{
		NumValues:               int32(p.rows),
		Encoding:                e.enc,
		DefinitionLevelEncoding: format.RLE,
		RepetitionLevelEncoding: format.RLE,
		Statistics:              format.Statistics{NullCount: int64(p.nulls)},
	})
	var err error
	p.size, err = e.writePage()
	e.out.pages = append(e.out.pages, p)
	e.out.enc = e.enc
	return err
}

// writePage compresses e.raw and appends it behind e.header to the chunk. It
// returns the size of both.
func (e *encoder) writePage() (int, error) {
	if len(e.raw) > maxPageBytes {
		return 0, fmt.Errorf("a page of %d bytes is too large", len(e.raw))
	}
	body, size := e.raw, len(e.raw)
	if e.comp.codec != format.Uncompressed {
		e.trial = e.comp.append(e.trial[:0], e.raw)
		if body = e.trial; size > longPage {
			e.raw = nil
		}
	}
	if len(body) > maxPageBytes {
		return 0, fmt.Errorf("a page of %d bytes is too large", len(body))
	}
	e.header.UncompressedPageSize = int32(size)
	e.header.CompressedPageSize = int32(len(body))
	e.header.CRC = int32(crc32.ChecksumIEEE(body))
	e.headBuf.Reset()
	if err := e.thrift.Encode(&e.header); err != nil {
		return 0, fmt.Errorf("encoding a page header: %w", err)
	}
	e.out.rawSize += e.headBuf.Len() + size
	e.out.data = append(append(e.out.data, e.headBuf.Bytes()...), body...)
	return e.headBuf.Len() + len(body), nil
}
