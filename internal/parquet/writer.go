package parquet

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// Options says how a file is written. The zero value is good.
type Options struct {
	Compression string            // "zstd" (also ""), "snappy" or "none"
	Level       int               // of zstd, as the zstd tool counts; 0 is the measured default
	Plain       bool              // only PLAIN, RLE and dictionaries, which every reader knows
	PageRows    int               // rows of a data page at most; 0 is 20000
	Parallel    int               // columns encoded at a time; 0 is 1
	Metadata    map[string]string // entries of the footer; see Reserved
	CreatedBy   string            // name and version of the program, for the footer
	Pool        *Pool             // shares memory between writers; may be nil
}

// Footer is what a finished file holds.
type Footer struct {
	Rows   int64
	Bytes  int64   // size of the file
	Groups []int64 // where its row groups begin
}

// Writer writes one file. One goroutine may use it at a time.
type Writer struct {
	w      io.Writer
	at     int64
	schema []column.Column
	o      Options
	codec  format.CompressionCodec
	enc    []*encoder
	chunks []chunk // encoded columns of a row group; one without Parallel
	groups []writtenGroup
	rows   int64
	group  openGroup // the one at hand, in memory that is used again
	packer packer
	meta   structures
	places []format.PageLocation // of the chunk at hand
	// scratch is a chunk that cannot be copied.
	scratch column.Column
	err     error
	closed  bool
}

// NewWriter begins a file. schema gives names and types of the columns, whose
// order every batch must follow. w is not closed by Close.
func NewWriter(w io.Writer, schema []column.Column, o Options) (*Writer, error) {
	if o.Compression == "" {
		o.Compression = "zstd"
	}
	if o.PageRows <= 0 {
		o.PageRows = defaultPageRows
	}
	o.Parallel = min(max(o.Parallel, 1), len(schema))
	codec, err := codecOf(o.Compression)
	if err == nil {
		err = checkSchema(schema)
	}
	if err == nil {
		err = checkEntries(&o)
	}
	if err != nil {
		return nil, err
	}
	f := &Writer{w: w, o: o, codec: codec, schema: make([]column.Column, len(schema))}
	for i := range schema {
		f.schema[i] = column.Column{Name: schema[i].Name, Type: schema[i].Type}
	}
	f.chunks = make([]chunk, 1)
	if o.Parallel > 1 {
		f.chunks = make([]chunk, min(len(schema), mostAhead))
	}
	return f, f.write([]byte(magic))
}

func checkEntries(o *Options) error {
	for k := range o.Metadata {
		if Reserved(k) {
			return fmt.Errorf("footer entry %q: the name is taken", k)
		}
	}
	if strings.Contains(o.CreatedBy, checksumKey) {
		return fmt.Errorf("the program's name contains %s", checksumKey)
	}
	return nil
}

// encoder returns the i-th encoder of the writer.
func (f *Writer) encoder(i int) (*encoder, error) {
	if i < len(f.enc) {
		return f.enc[i], nil
	}
	if f.o.Pool != nil {
		if e, _ := f.o.Pool.encoders.Get().(*encoder); e != nil && e.comp.is(f.codec, f.o.Level) {
			e.pageRows, e.plain = f.o.PageRows, f.o.Plain
			f.enc = append(f.enc, e)
			return e, nil
		}
	}
	e, err := newEncoder(&f.o, f.codec)
	if err == nil {
		f.enc = append(f.enc, e)
	}
	return e, err
}

// WriteRowGroup writes b as one row group. The columns of b have the names,
// types and order of the schema; b is not kept. A batch without rows writes
// nothing. After an error the file is of no use.
func (f *Writer) WriteRowGroup(b *column.Batch) error {
	if err := f.begin(); err != nil {
		return err
	}
	if err := f.checkBatch(b); err != nil {
		return err
	}
	if b.N == 0 {
		return nil
	}
	g := f.newGroup(b.N)
	if f.o.Parallel > 1 {
		for from := 0; from < len(b.Cols) && f.err == nil; from += mostAhead {
			f.err = f.encodeParallel(b.Cols[from:min(from+mostAhead, len(b.Cols))], from, g)
		}
	} else {
		f.err = f.encodeSerial(b, g)
	}
	f.endGroup(g)
	return f.err
}

// WriteColumns is WriteRowGroup for n rows of which one column is at hand at a time:
// next gives the i-th, which is not needed any more once the one behind it is asked for.
func (f *Writer) WriteColumns(n int, next func(i int) (*column.Column, error)) error {
	if err := f.begin(); err != nil || n == 0 {
		return err
	}
	if n > maxGroupRows {
		return fmt.Errorf("a row group of %d rows: at most %d are possible", n, maxGroupRows)
	}
	g := f.newGroup(n)
	for i := range f.schema {
		if err := f.writeColumn(i, n, next, g); err != nil {
			f.err = err
			return err
		}
	}
	f.endGroup(g)
	return nil
}

func (f *Writer) writeColumn(i, n int, next func(i int) (*column.Column, error), g *openGroup) error {
	c, err := next(i)
	if err != nil {
		return err
	}
	if s := &f.schema[i]; c.Name != s.Name || c.Type != s.Type {
		return fmt.Errorf("column %d of a row group is %s %s, of the file %s %s", i, c.Name, c.Type, s.Name, s.Type)
	}
	if err := checkLen(c, n); err != nil {
		return err
	}
	e, err := f.encoder(0)
	if err == nil {
		err = e.encode(c, &f.chunks[0])
	}
	if err != nil {
		return err
	}
	return f.writeChunk(i, &f.chunks[0], g)
}

// begin reports why nothing more can be written, if so.
func (f *Writer) begin() error {
	if f.closed {
		return errors.New("the Parquet writer is closed")
	}
	if f.err == nil && len(f.groups) == maxGroups {
		f.err = fmt.Errorf("a file holds at most %d row groups", maxGroups)
	}
	return f.err
}

func (f *Writer) checkBatch(b *column.Batch) error {
	if len(b.Cols) != len(f.schema) {
		return fmt.Errorf("a batch of %d columns for a file of %d", len(b.Cols), len(f.schema))
	}
	if b.N > maxGroupRows {
		return fmt.Errorf("a row group of %d rows: at most %d are possible", b.N, maxGroupRows)
	}
	for i := range b.Cols {
		c, s := &b.Cols[i], &f.schema[i]
		if c.Name != s.Name || c.Type != s.Type {
			return fmt.Errorf("column %d of the batch is %s %s, of the file %s %s", i, c.Name, c.Type, s.Name, s.Type)
		}
		if err := checkLen(c, b.N); err != nil {
			return err
		}
	}
	return nil
}

func checkLen(c *column.Column, rows int) error {
	if c.Len() != rows || c.Type.Kind() != column.KindBytes && c.Null != nil && len(c.Null) != rows {
		return fmt.Errorf("column %q has %d rows and %d null marks in a batch of %d rows", c.Name, c.Len(), len(c.Null), rows)
	}
	return nil
}

func (f *Writer) encodeSerial(b *column.Batch, g *openGroup) error {
	e, err := f.encoder(0)
	for i := range b.Cols {
		if err == nil {
			err = e.encode(&b.Cols[i], &f.chunks[0])
		}
		if err == nil {
			err = f.writeChunk(i, &f.chunks[0], g)
		}
	}
	return err
}

// mostAhead is how many encoded columns may wait for one that is to be written first.
const mostAhead = 256

// encodeParallel encodes the columns of a row group from one on in several goroutines and
// writes them in order, each as soon as it is ready.
func (f *Writer) encodeParallel(cols []column.Column, from int, g *openGroup) error {
	ready := make([]chan error, len(cols))
	for i := range ready {
		ready[i] = make(chan error, 1)
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for k := range f.o.Parallel {
		e, err := f.encoder(k)
		if err != nil {
			next.Store(int64(len(ready)))
			workers.Wait()
			return err
		}
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(ready)); i = next.Add(1) - 1 {
				ready[i] <- e.encode(&cols[i], &f.chunks[i])
			}
		})
	}
	defer workers.Wait()
	for i := range ready {
		err := <-ready[i]
		if err == nil {
			err = f.writeChunk(from+i, &f.chunks[i], g)
		}
		if err != nil {
			next.Store(int64(len(ready)))
			return err
		}
	}
	return nil
}

func (f *Writer) write(b []byte) error {
	n, err := f.w.Write(b)
	f.at += int64(n)
	if err != nil {
		f.err = fmt.Errorf("writing Parquet: %w", err)
	}
	return f.err
}

// longChunk is from how many bytes on the memory of a column chunk is not kept.
const longChunk = 16 << 20

// writeChunk writes an encoded column and enters it into the row group.
func (f *Writer) writeChunk(i int, c *chunk, g *openGroup) error {
	m := format.ColumnMetaData{
		Type:                  c.typ,
		Codec:                 f.codec,
		NumValues:             int64(c.rows),
		TotalUncompressedSize: int64(c.rawSize),
		DataPageOffset:        int64(c.dictSize),
		Statistics:            format.Statistics{NullCount: c.index.nulls, MinValue: c.index.min, MaxValue: c.index.max},
		Encoding:              thrift.Slice[format.Encoding]{format.RLE, c.enc},
		EncodingStats: thrift.Slice[format.PageEncodingStats]{
			{PageType: format.DataPage, Encoding: c.enc, Count: int32(len(c.pages))}},
	}
	if c.dictSize > 0 {
		m.Encoding = append(m.Encoding, format.Plain)
		m.EncodingStats = append(m.EncodingStats,
			format.PageEncodingStats{PageType: format.DictionaryPage, Encoding: format.Plain, Count: 1})
	}
	f.places = f.places[:0]
	for _, p := range c.pages {
		f.places = append(f.places, format.PageLocation{
			Offset: int64(p.at), CompressedPageSize: int32(p.size), FirstRowIndex: int64(p.row)})
	}
	at := f.at
	err := f.write(c.data)
	if err == nil {
		err = f.enterChunk(i, g, m, at, c.index.data)
	}
	if cap(c.data) > longChunk {
		c.data = nil
	}
	return err
}

// Size returns how many bytes were written.
func (f *Writer) Size() int64 { return f.at }

// enterChunk enters a column chunk that was written from a place on. The offsets of m and
// of f.places count from there and become those of the file.
func (f *Writer) enterChunk(i int, g *openGroup, m format.ColumnMetaData, at int64, columnIndex []byte) error {
	m.PathInSchema = thrift.Slice[string]{f.schema[i].Name}
	m.TotalCompressedSize = f.at - at
	if m.DataPageOffset > 0 {
		m.DictionaryPageOffset = at
	}
	m.DataPageOffset += at
	for k := range f.places {
		f.places[k].Offset += at
	}
	return g.enter(&f.meta, &format.ColumnChunk{FileOffset: at, MetaData: m}, columnIndex, f.places)
}

// Close writes the page indexes and the footer. The file is whole only after
// Close without an error.
func (f *Writer) Close() (Footer, error) {
	if f.closed {
		return Footer{}, errors.New("the Parquet writer is closed already")
	}
	f.closed = true
	if f.o.Pool != nil {
		for _, e := range f.enc {
			f.o.Pool.encoders.Put(e)
		}
	}
	f.enc, f.chunks = nil, nil
	if f.err == nil {
		f.err = f.writeFooter()
	}
	if f.err != nil {
		return Footer{}, f.err
	}
	return Footer{Rows: f.rows, Bytes: f.at, Groups: f.offsets()}, nil
}

// offsets lists where the row groups begin.
func (f *Writer) offsets() []int64 {
	out := make([]int64, len(f.groups))
	for i := range f.groups {
		out[i] = f.groups[i].at
	}
	return out
}

// entries returns the footer entries, those of the caller first.
func (f *Writer) entries() (thrift.Slice[format.KeyValue], error) {
	var kv thrift.Slice[format.KeyValue]
	for k, v := range f.o.Metadata {
		kv = append(kv, format.KeyValue{Key: k, Value: v})
	}
	slices.SortFunc(kv, func(a, b format.KeyValue) int { return strings.Compare(a.Key, b.Key) })
	types, err := typesEntry(f.schema)
	if types != "" {
		kv = append(kv, format.KeyValue{Key: typesKey, Value: types})
	}
	return kv, err
}
