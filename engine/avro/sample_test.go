package avro

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"reconcile/internal/column"
)

var testSync = [syncSize]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// enc writes Avro's binary encoding by hand.
type enc []byte

func (e enc) long(v int64) enc     { return binary.AppendVarint(e, v) }
func (e enc) str(s string) enc     { return append(e.long(int64(len(s))), s...) }
func (e enc) double(f float64) enc { return binary.LittleEndian.AppendUint64(e, math.Float64bits(f)) }
func (e enc) float(f float32) enc  { return binary.LittleEndian.AppendUint32(e, math.Float32bits(f)) }

// fileHeader writes a header; codec "" leaves the key out.
func fileHeader(schema, codec string) enc {
	e := enc("Obj\x01")
	if codec == "" {
		e = e.long(1).str("avro.schema").str(schema)
	} else {
		e = e.long(2).str("avro.codec").str(codec).str("avro.schema").str(schema)
	}
	return append(e.long(0), testSync[:]...)
}

func (e enc) block(count int, data []byte) enc {
	e = e.long(int64(count)).long(int64(len(data)))
	return append(append(e, data...), testSync[:]...)
}

func compressed(tb testing.TB, codec string, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch codec {
	case "", codecNull:
		return data
	case codecSnappy:
		out := snappy.Encode(nil, data)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(data))
	case codecDeflate:
		w, err = flate.NewWriter(&b, flate.DefaultCompression)
	case codecZstd:
		w, err = zstd.NewWriter(&b)
	case codecXZ:
		w, err = xz.NewWriter(&b)
	default:
		tb.Fatalf("no writer for codec %q", codec)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// record wraps the JSON of a type into a record with the one field "f".
func record(typ string) string {
	return `{"type":"record","name":"r","fields":[{"name":"f","type":` + typ + `}]}`
}

// readAllRows decodes a whole file into columns of type String, checking that
// they all have the rows that the blocks announce.
func readAllRows(data []byte, size int64) (*Header, []*column.Column, error) {
	s, err := NewScanner(bytes.NewReader(data), size, testLimits)
	if err != nil {
		return nil, nil, err
	}
	d := s.Header().NewDecoder(testLimits)
	d.limits.Text = 1 << 20
	dst := textColumns(s.Header())
	rows := 0
	for b := new(Block); ; {
		ok, err := s.Next(b)
		if err != nil || !ok {
			return s.Header(), dst, err
		}
		if err := d.Decode(b, dst); err != nil {
			return s.Header(), dst, err
		}
		rows += b.Count
		for _, c := range dst {
			if c.Len() != rows {
				return nil, nil, fmt.Errorf("column %s has %d rows, not %d", c.Name, c.Len(), rows)
			}
		}
	}
}

func textColumns(h *Header) []*column.Column {
	var dst []*column.Column
	for _, f := range h.Fields() {
		dst = append(dst, &column.Column{Name: f.Name, Dict: column.NewDict()})
	}
	return dst
}

// null stands for null among texts.
const null = "\x00null"

func texts(c *column.Column) []string {
	out := make([]string, c.Len())
	for i := range out {
		switch {
		case c.IsNull(i):
			out[i] = null
		default:
			out[i] = string(column.AppendText(nil, c, i))
		}
	}
	return out
}

// decodeOne returns the text of the one value of the one field of a file.
func decodeOne(typ string, value []byte) (string, error) {
	_, cols, err := readAllRows(fileHeader(record(typ), "").block(1, value), -1)
	if err != nil {
		return "", err
	}
	return texts(cols[0])[0], nil
}
