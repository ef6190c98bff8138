package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// File is an open Parquet file. Any number of goroutines may use it, as far as
// its io.ReaderAt allows.
type File struct {
	r       io.ReaderAt
	end     int64 // of what row groups and indexes can occupy
	meta    format.FileMetaData
	cols    []column.Column
	entries map[string]string
	ours    bool // written by this package: every page has a checksum

	indexes func() (indexRegion, error)
}

// firstRead is how much of the end of a file is read at once: more than most
// footers.
const firstRead = 64 << 10

// Open reads the footer of a file of size bytes. r is read as long as the File
// is in use and never closed. Files of other programs can be read as far as
// this package could have written their schema and encodings.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r}
	footer, err := f.readFooter(size)
	if err == nil {
		f.ours, err = checkSum(footer)
	}
	if err == nil {
		_, err = decodeThrift(footer, &f.meta)
	}
	if err == nil {
		err = f.takeEntries()
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, fmt.Errorf("reading the Parquet footer: %w", err)
	}
	return f, nil
}

func (f *File) readFooter(size int64) ([]byte, error) {
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

// takeEntries splits the footer entries into the caller's and our own.
func (f *File) takeEntries() error {
	f.entries = make(map[string]string, len(f.meta.KeyValueMetadata))
	for _, e := range f.meta.KeyValueMetadata {
		f.entries[e.Key] = e.Value
	}
	var err error
	f.cols, err = restore(f.meta.Schema, f.entries[typesKey])
	entry := f.entries[indexesKey]
	f.indexes = sync.OnceValues(func() (indexRegion, error) { return f.readIndexes(entry) })
	maps.DeleteFunc(f.entries, func(k, _ string) bool { return Reserved(k) })
	return err
}

// check holds the counts and places of the footer against each other.
func (f *File) check() error {
	var rows int64
	for g := range f.meta.RowGroups {
		rg := &f.meta.RowGroups[g]
		if rg.NumRows < 0 || rg.NumRows > maxGroupRows {
			return fmt.Errorf("row group %d has %d rows; at most %d are supported", g, rg.NumRows, maxGroupRows)
		}
		rows += rg.NumRows
		if len(rg.Columns) != len(f.cols) {
			return fmt.Errorf("row group %d has %d columns, the schema %d", g, len(rg.Columns), len(f.cols))
		}
		for i := range rg.Columns {
			if err := f.checkChunk(&rg.Columns[i], i, rg.NumRows); err != nil {
				return fmt.Errorf("row group %d, column %q: %w", g, f.cols[i].Name, err)
			}
		}
	}
	if rows != f.meta.NumRows {
		return fmt.Errorf("it counts %d rows, its row groups %d", f.meta.NumRows, rows)
	}
	return nil
}

func (f *File) checkChunk(c *format.ColumnChunk, i int, rows int64) error {
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
func (f *File) Rows() int64 { return f.meta.NumRows }

// RowGroups returns the number of row groups, which may be 0.
func (f *File) RowGroups() int { return len(f.meta.RowGroups) }

// GroupRows returns the number of rows of a row group.
func (f *File) GroupRows(group int) int { return int(f.meta.RowGroups[group].NumRows) }

// Columns returns name and type of the columns; the caller may keep the slice,
// not write to it.
func (f *File) Columns() []column.Column { return f.cols }

// Metadata returns the footer entries that Options.Metadata gave; not to be
// written to.
func (f *File) Metadata() map[string]string { return f.entries }

// CreatedBy returns the program that wrote the file, as the footer says.
func (f *File) CreatedBy() string { return f.meta.CreatedBy }

// find returns the place of a column, -1 if the file lacks it.
func (f *File) find(name string) int {
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
	m := &f.meta.RowGroups[group].Columns[i].MetaData
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
	return f.meta.RowGroups[group].Columns[i].MetaData.TotalCompressedSize
}
