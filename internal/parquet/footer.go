package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/zeebo/xxh3"
)

const (
	magic    = "PAR1"
	tailSize = 8 // length of the footer and magic
	// indexesKey is the footer entry with place and checksum of the page
	// indexes; checksumKey, always the last, has the checksum of the footer
	// itself, taken with zeros in its place. The format has checksums for
	// pages only.
	indexesKey  = "reconcile.indexes"
	checksumKey = "reconcile.checksum"
	sumDigits   = 16
	noSum       = "0000000000000000"
)

// Reserved reports whether this package uses a name of a footer entry itself.
func Reserved(key string) bool { return key == typesKey || key == indexesKey || key == checksumKey }

// writeFooter writes all that follows the row groups: the page indexes and the footer.
func (f *Writer) writeFooter() error {
	columnIndexes := f.at
	indexes, err := f.writeIndexes()
	if err != nil {
		return err
	}
	offsetIndexes := columnIndexes
	for i := range f.groups {
		offsetIndexes += int64(f.groups[i].columnIndexes.size)
	}
	entry := fmt.Sprintf("%d,%d,%016x", columnIndexes, f.at-columnIndexes, indexes)
	head, tail, err := f.aroundGroups(entry)
	if err != nil {
		return err
	}
	start := f.at
	w := hashedWriter{f: f}
	w.write(append(head, listField(len(f.groups))...))
	for i := range f.groups {
		if err := f.groups[i].write(&w, len(f.schema), i, &columnIndexes, &offsetIndexes); err != nil {
			return fmt.Errorf("encoding the footer: %w", err)
		}
	}
	_, _ = w.sum.Write(tail)
	at := sumPlace(tail)
	copy(tail[at:], fmt.Sprintf("%016x", w.sum.Sum64()))
	tail = binary.LittleEndian.AppendUint32(tail, uint32(f.at-start+int64(len(tail))))
	return f.write(append(tail, magic...))
}

// hashedWriter writes to the file of a Writer, which keeps the first error.
type hashedWriter struct {
	f   *Writer
	sum xxh3.Hasher
}

func (w *hashedWriter) write(b []byte) {
	_, _ = w.sum.Write(b)
	if w.f.err == nil {
		_ = w.f.write(b)
	}
}

// take writes what was kept.
func (w *hashedWriter) take(k kept) {
	b, err := w.f.packer.take(k)
	if err != nil && w.f.err == nil {
		w.f.err = err
	}
	w.write(b)
}

// writeIndexes writes the page indexes, which stand between the last row group and the
// footer, and returns their checksum.
func (f *Writer) writeIndexes() (uint64, error) {
	w := hashedWriter{f: f}
	for i := range f.groups {
		w.take(f.groups[i].columnIndexes)
	}
	for i := range f.groups {
		w.take(f.groups[i].offsetIndexes)
	}
	return w.sum.Sum64(), f.err
}

// aroundGroups returns what a footer has before its list of row groups and behind it.
func (f *Writer) aroundGroups(indexes string) (head, tail []byte, err error) {
	kv, err := f.entries()
	if err != nil {
		return nil, nil, err
	}
	kv = append(kv, format.KeyValue{Key: indexesKey, Value: indexes}, format.KeyValue{Key: checksumKey, Value: noSum})
	before := format.FileMetaData{
		Version:   1,
		Schema:    thrift.Slice[format.SchemaElement]{{Name: "schema", NumChildren: thrift.New(int32(len(f.schema)))}},
		NumRows:   f.rows,
		RowGroups: thrift.Slice[format.RowGroup]{},
	}
	behind := format.FileMetaData{
		Schema: thrift.Slice[format.SchemaElement]{}, RowGroups: thrift.Slice[format.RowGroup]{},
		KeyValueMetadata: kv, CreatedBy: f.o.CreatedBy,
	}
	for i := range f.schema {
		before.Schema = append(before.Schema, element(&f.schema[i]))
		behind.ColumnOrders = append(behind.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	empty := format.FileMetaData{Schema: behind.Schema, RowGroups: behind.RowGroups}
	var b [3][]byte
	for i, m := range []*format.FileMetaData{&before, &behind, &empty} {
		encoded, err := f.meta.encode(m)
		if err != nil {
			return nil, nil, fmt.Errorf("encoding the footer: %w", err)
		}
		b[i] = bytes.Clone(encoded)
	}
	// All three end with the list of row groups, which is empty, but for what is behind.
	return b[0][:len(b[0])-len(emptyListField)-1], b[1][len(b[2])-1:], nil
}

// sumPlace returns where the checksum stands in a footer, -1 if it has none.
func sumPlace(footer []byte) int {
	at := bytes.LastIndex(footer, []byte(checksumKey))
	if at < 0 || len(footer) < at+len(checksumKey)+2+sumDigits {
		return -1
	}
	return at + len(checksumKey) + 2 // a field header and a length
}

// checkSum verifies the checksum of a footer and reports whether it has one.
func checkSum(footer []byte) (bool, error) {
	at := sumPlace(footer)
	if at < 0 {
		return false, nil
	}
	return true, finishSum(new(xxh3.Hasher), footer, at)
}

// finishSum verifies the checksum of a footer at a place of its end, all before which was
// hashed.
func finishSum(h *xxh3.Hasher, end []byte, at int) error {
	_, _ = h.Write(end[:at])
	_, _ = h.WriteString(noSum)
	_, _ = h.Write(end[at+sumDigits:])
	if string(end[at:at+sumDigits]) != fmt.Sprintf("%016x", h.Sum64()) {
		return errors.New("its checksum does not fit")
	}
	return nil
}
