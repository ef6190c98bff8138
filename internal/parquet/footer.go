package parquet

import (
	"bytes"
	"encoding/binary"
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

// writeFooter writes all that follows the row groups.
func (f *Writer) writeFooter() error {
	start := f.at
	f.placeIndexes()
	indexes := append(f.columnIndexes.Bytes(), f.offsetIndexes.Bytes()...)
	if err := f.write(indexes); err != nil {
		return err
	}
	kv, err := f.entries()
	if err != nil {
		return err
	}
	kv = append(kv,
		format.KeyValue{Key: indexesKey, Value: fmt.Sprintf("%d,%d,%016x", start, len(indexes), xxh3.Hash(indexes))},
		format.KeyValue{Key: checksumKey, Value: noSum})
	meta := format.FileMetaData{
		Version:          1,
		Schema:           thrift.Slice[format.SchemaElement]{{Name: "schema", NumChildren: thrift.New(int32(len(f.schema)))}},
		NumRows:          f.rows,
		RowGroups:        f.groups,
		KeyValueMetadata: kv,
		CreatedBy:        f.o.CreatedBy,
	}
	if meta.RowGroups == nil {
		meta.RowGroups = thrift.Slice[format.RowGroup]{}
	}
	for i := range f.schema {
		meta.Schema = append(meta.Schema, element(&f.schema[i]))
		meta.ColumnOrders = append(meta.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	var b bytes.Buffer
	if err := newThriftEncoder(&b).Encode(&meta); err != nil {
		return fmt.Errorf("encoding the footer: %w", err)
	}
	footer := b.Bytes()
	at := sumPlace(footer)
	copy(footer[at:], fmt.Sprintf("%016x", xxh3.Hash(footer)))
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	return f.write(append(footer, magic...))
}

// placeIndexes turns the offsets of the page indexes into those of the file.
func (f *Writer) placeIndexes() {
	offsets := f.at + int64(f.columnIndexes.Len())
	for g := range f.groups {
		for i := range f.groups[g].Columns {
			cc := &f.groups[g].Columns[i]
			if cc.ColumnIndexLength > 0 {
				cc.ColumnIndexOffset += f.at
			}
			cc.OffsetIndexOffset += offsets
		}
	}
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
	var h xxh3.Hasher
	h.Write(footer[:at])
	h.Write([]byte(noSum))
	h.Write(footer[at+sumDigits:])
	if string(footer[at:at+sumDigits]) != fmt.Sprintf("%016x", h.Sum64()) {
		return true, fmt.Errorf("its checksum does not fit")
	}
	return true, nil
}
