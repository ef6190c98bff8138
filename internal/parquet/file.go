package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// File is an open Parquet file. Any number of goroutines may use it, as far as
// its io.ReaderAt allows.
type File struct {
	r       io.ReaderAt
	end     int64 // of what row groups and indexes can occupy
	rows    int64
	groups  []readGroup
	wide    bool                      // the footer is not held whole; see group
	held    atomic.Pointer[readGroup] // in a wide file: the row group that was used last
	cols    []column.Column
	places  map[string]int // of columns by name, once there are many
	must    []bool         // of columns: every row has a value
	entries map[string]string
	creator string
	ours    bool // written by this package: every page has a checksum

	indexes func() (*indexRegion, error)
}

// readGroup is what the footer says of a row group.
type readGroup struct {
	number  int
	rows    int
	columns []format.ColumnChunk
	encoded *encodedGroup // in a wide file, in place of columns
}

// firstRead is how much of the end of a file is read at once: more than most
// footers.
const firstRead = 64 << 10

// Open reads the footer of a file of size bytes. r is read as long as the File
// is in use and never closed. Files of other programs can be read as far as
// this package could have written their schema and encodings.
func Open(r io.ReaderAt, size int64) (*File, error) {
	return openFrom(r, size, wideFooter)
}

// openFrom opens a file that is wide if its footer has more bytes than so many.
func openFrom(r io.ReaderAt, size, wide int64) (*File, error) {
	f := &File{r: r}
	if err := f.takeFooter(size, wide); err != nil {
		return nil, fmt.Errorf("reading the Parquet footer: %w", err)
	}
	return f, nil
}

func (f *File) takeFooter(size, wide int64) error {
	footer, err := f.readFooter(size, wide)
	if err != nil {
		return err
	}
	if footer == nil {
		f.wide = true
		return f.openWide(size - tailSize)
	}
	var meta format.FileMetaData
	if f.ours, err = checkSum(footer); err == nil {
		_, err = decodeThrift(footer, &meta)
	}
	if err == nil {
		err = f.take(&meta)
	}
	if err != nil {
		return err
	}
	for g := range meta.RowGroups {
		rg := &meta.RowGroups[g]
		if err := f.takeGroup(rg.NumRows, len(rg.Columns)); err != nil {
			return err
		}
		for i := range rg.Columns {
			if err := f.checkChunk(&rg.Columns[i], &f.groups[g], i); err != nil {
				return err
			}
		}
		f.groups[g].columns = rg.Columns
	}
	return f.checkRows()
}

// readFooter returns nil for the footer of a wide file.
func (f *File) readFooter(size, wide int64) ([]byte, error) {
	if size < int64(len(magic)+tailSize) {
		return nil, fmt.Errorf("a file of %d bytes has none", size)
	}
	tail := make([]byte, min(size, firstRead))
	if err := readAt(f.r, tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	n := len(tail) - tailSize
	if string(tail[n+4:]) != magic {
		return nil, errors.New("the file does not end as Parquet files do; is it truncated?")
	}
	length := int64(binary.LittleEndian.Uint32(tail[n:]))
	f.end = size - tailSize - length
	if f.end < int64(len(magic)) {
		return nil, fmt.Errorf("its length of %d bytes exceeds the file", length)
	}
	if length > wide {
		return nil, nil
	}
	if length <= int64(n) {
		return tail[n-int(length) : n], nil
	}
	footer := make([]byte, length)
	return footer, readAt(f.r, footer, f.end)
}

// readAt fills b.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading %d bytes at %d: %w", len(b), at, err)
}

// take takes what a footer says of the file as a whole, and splits its entries into the
// caller's and our own.
func (f *File) take(meta *format.FileMetaData) error {
	f.rows, f.creator = meta.NumRows, meta.CreatedBy
	f.entries = make(map[string]string, len(meta.KeyValueMetadata))
	for _, e := range meta.KeyValueMetadata {
		f.entries[e.Key] = e.Value
	}
	var err error
	if f.cols, err = restore(meta.Schema, f.entries[typesKey]); err != nil {
		return err
	}
	f.must = make([]bool, len(f.cols))
	for i := range f.must {
		f.must[i] = meta.Schema[i+1].RepetitionType.V != format.Optional
	}
	if len(f.cols) > fewColumns {
		f.places = make(map[string]int, len(f.cols))
		for i := range f.cols {
			f.places[f.cols[i].Name] = i
		}
	}
	entry := f.entries[indexesKey]
	f.indexes = sync.OnceValues(func() (*indexRegion, error) { return f.readIndexes(entry) })
	maps.DeleteFunc(f.entries, func(k, _ string) bool { return Reserved(k) })
	return nil
}

// takeGroup adds a row group of so many rows and columns.
func (f *File) takeGroup(rows int64, columns int) error {
	g := len(f.groups)
	if rows < 0 || rows > maxGroupRows {
		return fmt.Errorf("row group %d has %d rows; at most %d are supported", g, rows, maxGroupRows)
	}
	if columns != len(f.cols) {
		return fmt.Errorf("row group %d has %d columns, the schema %d", g, columns, len(f.cols))
	}
	f.groups = append(f.groups, readGroup{number: g, rows: int(rows)})
	return nil
}

// checkRows holds the number of rows against that of all row groups.
func (f *File) checkRows() error {
	var rows int64
	for _, g := range f.groups {
		rows += int64(g.rows)
	}
	if rows != f.rows {
		return fmt.Errorf("it counts %d rows, its row groups %d", f.rows, rows)
	}
	return nil
}

// checkChunk holds the counts and places of a column chunk against those of the file.
func (f *File) checkChunk(c *format.ColumnChunk, g *readGroup, i int) error {
	if err := f.soundChunk(c, i, int64(g.rows)); err != nil {
		return fmt.Errorf("row group %d, column %q: %w", g.number, f.cols[i].Name, err)
	}
	return nil
}

func (f *File) soundChunk(c *format.ColumnChunk, i int, rows int64) error {
	m := &c.MetaData
	if len(m.PathInSchema) != 1 || m.PathInSchema[0] != f.cols[i].Name {
		return fmt.Errorf("the row group has column %q in its place", m.PathInSchema)
	}
	if c.FilePath != "" {
		return errors.New("it is in another file")
	}
	if m.Type != physical(f.cols[i].Type) || m.NumValues != rows {
		return fmt.Errorf("%d values of %s for %d rows of %s", m.NumValues, m.Type, rows, f.cols[i].Type)
	}
	at, size := chunkPlace(m)
	if at < int64(len(magic)) || size < 0 || m.TotalUncompressedSize < 0 || at > f.end || size > f.end-at {
		return fmt.Errorf("%d bytes at %d are not inside the file", size, at)
	}
	return nil
}

// chunkPlace returns offset and size of a column chunk.
func chunkPlace(m *format.ColumnMetaData) (at, size int64) {
	at = m.DataPageOffset
	if d := m.DictionaryPageOffset; d > 0 && d < at {
		at = d
	}
	return at, m.TotalCompressedSize
}

// Rows returns the number of rows of the file.
func (f *File) Rows() int64 { return f.rows }

// RowGroups returns the number of row groups, which may be 0.
func (f *File) RowGroups() int { return len(f.groups) }

// GroupRows returns the number of rows of a row group.
func (f *File) GroupRows(group int) int { return f.groups[group].rows }

// Columns returns name and type of the columns; the caller may keep the slice,
// not write to it.
func (f *File) Columns() []column.Column { return f.cols }

// Metadata returns the footer entries that Options.Metadata gave; not to be
// written to.
func (f *File) Metadata() map[string]string { return f.entries }

// CreatedBy returns the program that wrote the file, as the footer says.
func (f *File) CreatedBy() string { return f.creator }

// fewColumns are found as fast one by one as in a map.
const fewColumns = 64

// find returns the place of a column, -1 if the file lacks it.
func (f *File) find(name string) int {
	if f.places != nil {
		if i, ok := f.places[name]; ok {
			return i
		}
		return -1
	}
	for i := range f.cols {
		if f.cols[i].Name == name {
			return i
		}
	}
	return -1
}

// Bounds returns the least and the greatest value of a column that holds
// int64, booleans as 0 and 1, over the rows of a group that are not null. ok is
// false when that is unknown: all are null, there is no such column, or it is
// of another kind.
func (f *File) Bounds(group int, name string) (least, most int64, ok bool) {
	i := f.find(name)
	if i < 0 || f.cols[i].Type.Kind() != column.KindInt64 {
		return 0, 0, false
	}
	c, err := f.chunkOf(group, i)
	if err != nil {
		return 0, 0, false
	}
	m := &c.MetaData
	least, ok1 := intBound(m.Type, m.Statistics.MinValue)
	most, ok2 := intBound(m.Type, m.Statistics.MaxValue)
	if !ok1 || !ok2 {
		return 0, 0, false
	}
	return least, most, true
}

func intBound(t format.Type, b []byte) (int64, bool) {
	switch {
	case t == format.Int64 && len(b) == 8:
		return int64(binary.LittleEndian.Uint64(b)), true
	case t == format.Int32 && len(b) == 4:
		return int64(int32(binary.LittleEndian.Uint32(b))), true
	case t == format.Boolean && len(b) == 1:
		return int64(b[0] & 1), true
	}
	return 0, false
}

// ChunkBytes returns the compressed size of a column of a row group, 0 if the
// file lacks it.
func (f *File) ChunkBytes(group int, name string) int64 {
	i := f.find(name)
	if i < 0 {
		return 0
	}
	c, err := f.chunkOf(group, i)
	if err != nil {
		return 0
	}
	return c.MetaData.TotalCompressedSize
}
