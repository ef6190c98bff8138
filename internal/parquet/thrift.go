package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

var errThrift = errors.New("damaged Thrift data")

func newThriftEncoder(w io.Writer) *thrift.Encoder {
	return thrift.NewEncoder(new(thrift.CompactProtocol).NewWriter(w))
}

// structures encodes one structure after the other.
type structures struct {
	buf bytes.Buffer
	enc *thrift.Encoder
}

// encode returns v encoded, up to the next call.
func (s *structures) encode(v any) ([]byte, error) {
	if s.enc == nil {
		s.enc = newThriftEncoder(&s.buf)
	}
	s.buf.Reset()
	err := s.enc.Encode(v)
	return s.buf.Bytes(), err
}

const endOfStruct = 0

// emptyListField is a list without structures whose field number is one above that of the
// field before.
var emptyListField = listField(0)

// listField begins such a list of n structures.
func listField(n int) []byte {
	const next, long = 1 << 4, 15
	if n < long {
		return []byte{next | byte(thrift.LIST), byte(n<<4) | byte(thrift.STRUCT)}
	}
	return binary.AppendUvarint([]byte{next | byte(thrift.LIST), long<<4 | byte(thrift.STRUCT)}, uint64(n))
}

// decodeThrift fills v, a pointer to a zero value, from the front of b and
// returns how many bytes that took. v refers to b afterwards.
//
// The structure is walked before the library sees it: the library believes the
// sizes of lists and follows nesting to any depth.
func decodeThrift(b []byte, v any) (int, error) {
	w := thriftWalk{b: b}
	if err := w.structure(0); err != nil {
		return 0, err
	}
	b = b[:w.at:w.at]
	err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReaderFromBytes(b)).Decode(v)
	return w.at, err
}

// maxDepth is more than the metadata of Parquet nests.
const maxDepth = 16

// thriftWalk steps over data in the compact protocol.
type thriftWalk struct {
	b  []byte
	at int
}

func (w *thriftWalk) structure(depth int) error {
	if depth > maxDepth {
		return errThrift
	}
	for {
		if w.at >= len(w.b) {
			return errThrift
		}
		h := w.b[w.at]
		w.at++
		if h == 0 {
			return nil
		}
		if h>>4 == 0 { // the field id follows
			if _, err := w.uvarint(); err != nil {
				return err
			}
		}
		t := thrift.Type(h & 15)
		if t == thrift.TRUE || t == thrift.FALSE {
			continue // the value is in the type
		}
		if err := w.value(t, depth); err != nil {
			return err
		}
	}
}

func (w *thriftWalk) value(t thrift.Type, depth int) error {
	switch t {
	case thrift.TRUE, thrift.FALSE, thrift.I8:
		return w.skip(1)
	case thrift.I16, thrift.I32, thrift.I64:
		_, err := w.uvarint()
		return err
	case thrift.DOUBLE:
		return w.skip(8)
	case thrift.UUID:
		return w.skip(16)
	case thrift.BINARY:
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case thrift.LIST, thrift.SET:
		return w.list(depth)
	case thrift.STRUCT:
		return w.structure(depth + 1)
	}
	return errThrift // maps do not occur
}

func (w *thriftWalk) list(depth int) error {
	if depth > maxDepth {
		return errThrift
	}
	n, t, err := w.listHead()
	if err != nil {
		return err
	}
	for range n {
		if err := w.value(t, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// listHead steps over the number and the type of the elements of a list.
func (w *thriftWalk) listHead() (n uint64, t thrift.Type, err error) {
	if w.at >= len(w.b) {
		return 0, 0, errThrift
	}
	h := w.b[w.at]
	w.at++
	n, t = uint64(h>>4), thrift.Type(h&15)
	if n == 15 {
		if n, err = w.uvarint(); err != nil {
			return 0, 0, err
		}
	}
	size := uint64(1)
	if t == thrift.STRUCT {
		size = 3 // none of the format's is shorter
	}
	if n > uint64(len(w.b)-w.at)/size {
		return 0, 0, errThrift
	}
	return n, t, nil
}

// upToList steps over the fields before a list of structures with a number. It returns how
// many structures follow, and where the head of the list begins.
func (w *thriftWalk) upToList(number int64) (n, head int, err error) {
	for last := int64(0); ; {
		if w.at >= len(w.b) || w.b[w.at] == endOfStruct {
			return 0, 0, errThrift
		}
		h := w.b[w.at]
		w.at++
		if last += int64(h >> 4); h>>4 == 0 {
			v, err := w.uvarint()
			if err != nil {
				return 0, 0, err
			}
			last = int64(v>>1) ^ -int64(v&1)
		}
		t := thrift.Type(h & 15)
		if last == number {
			head := w.at
			n, of, err := w.listHead()
			if err == nil && (t != thrift.LIST || n > 0 && of != thrift.STRUCT) {
				err = errThrift
			}
			return int(n), head, err
		}
		if t == thrift.TRUE || t == thrift.FALSE {
			continue
		}
		if err := w.value(t, 0); err != nil {
			return 0, 0, err
		}
	}
}

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.b)-w.at) {
		return errThrift
	}
	w.at += int(n)
	return nil
}

func (w *thriftWalk) uvarint() (uint64, error) {
	n, k := binary.Uvarint(w.b[w.at:])
	if k <= 0 {
		return 0, errThrift
	}
	w.at += k
	return n, nil
}
