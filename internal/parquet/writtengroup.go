package parquet

import (
	"encoding/binary"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// writtenGroup is a row group that was written: what the footer will say of it, and its
// page indexes. There are many of them in a file of many columns, so they are kept as
// they are encoded and compressed, which takes a thirtieth of what they take decoded.
type writtenGroup struct {
	rows    int
	at      int64
	raw     int64 // bytes of all columns, before compression
	stored  int64
	columns kept // see enter
	// The page indexes of all columns, one after the other.
	columnIndexes, offsetIndexes kept
}

// openGroup is the row group at hand.
type openGroup struct {
	writtenGroup
	// What is to be kept of it.
	columns, columnIndexes, offsetIndexes []byte
}

// newGroup begins a row group.
func (f *Writer) newGroup(rows int) *openGroup {
	g := &f.group
	*g = openGroup{writtenGroup: writtenGroup{rows: rows, at: f.at}, columns: g.columns[:0],
		columnIndexes: g.columnIndexes[:0], offsetIndexes: g.offsetIndexes[:0]}
	return g
}

// endGroup keeps what is to be known of the row group at hand.
func (f *Writer) endGroup(g *openGroup) {
	if f.err != nil {
		return
	}
	done := g.writtenGroup
	for _, k := range []struct {
		to   *kept
		from []byte
	}{{&done.columns, g.columns}, {&done.columnIndexes, g.columnIndexes}, {&done.offsetIndexes, g.offsetIndexes}} {
		if *k.to, f.err = f.packer.keep(k.from); f.err != nil {
			return
		}
	}
	f.groups = append(f.groups, done)
	f.rows += int64(g.rows)
}

// enter adds a column chunk: its structure without places of page indexes, which are known
// only when all row groups are written, and the sizes of these.
func (g *openGroup) enter(m *structures, c *format.ColumnChunk, columnIndex []byte, places []format.PageLocation) error {
	b, err := m.encode(c)
	if err != nil {
		return err
	}
	g.columns = append(binary.AppendUvarint(g.columns, uint64(len(b)-1)), b[:len(b)-1]...)
	if b, err = m.encode(&format.OffsetIndex{PageLocations: places}); err != nil {
		return err
	}
	g.columns = binary.AppendUvarint(binary.AppendUvarint(g.columns, uint64(len(columnIndex))), uint64(len(b)))
	g.columnIndexes = append(g.columnIndexes, columnIndex...)
	g.offsetIndexes = append(g.offsetIndexes, b...)
	g.raw += c.MetaData.TotalUncompressedSize
	g.stored += c.MetaData.TotalCompressedSize
	return nil
}

// write writes the row group as a footer has it, with so many columns. columnIndexes and
// offsetIndexes are where its page indexes begin, and become those of the next row group.
func (g *writtenGroup) write(w *hashedWriter, columns, ordinal int, columnIndexes, offsetIndexes *int64) error {
	b, err := w.f.meta.encode(&format.RowGroup{Columns: thrift.Slice[format.ColumnChunk]{}, TotalByteSize: g.raw, NumRows: int64(g.rows),
		FileOffset: g.at, TotalCompressedSize: g.stored, Ordinal: int16(ordinal)})
	if err != nil {
		return err
	}
	w.write(listField(columns))
	rest, err := w.f.packer.take(g.columns)
	if err != nil {
		return err
	}
	number := func() int {
		n, k := binary.Uvarint(rest)
		rest = rest[k:]
		return int(n)
	}
	var places []byte
	for len(rest) > 0 {
		n := number()
		w.write(rest[:n])
		rest = rest[n:]
		columnIndex := number()
		offsetIndex := number()
		places = appendPlace(places[:0], offsetIndexes, offsetIndex)
		if columnIndex > 0 {
			places = appendPlace(places, columnIndexes, columnIndex)
		}
		w.write(append(places, endOfStruct))
	}
	w.write(b[len(emptyListField):])
	return nil
}

// appendPlace appends two fields that follow those before: an offset in 64 bits and a
// length in 32. The offset becomes that of what is behind.
func appendPlace(dst []byte, at *int64, length int) []byte {
	const next = 1 << 4 // the number of a field is one above the last
	dst = binary.AppendVarint(append(dst, next|byte(thrift.I64)), *at)
	*at += int64(length)
	return binary.AppendVarint(append(dst, next|byte(thrift.I32)), int64(length))
}
