package state

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// recordReader reads the items of a record of the form that kv.Encode gives.
type recordReader struct {
	b   []byte
	bad bool // what comes is not of that form, or not at all
}

// The major types of CBOR that occur, and the two simple values.
const (
	majorUint  = 0
	majorNeg   = 1
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	cborFalse  = 0xf4
	cborTrue   = 0xf5
)

// head reads the head of an item: its major type and its number, which is in the
// same byte or in the 1, 2, 4 or 8 after it.
func (r *recordReader) head() (major byte, n uint64) {
	if len(r.b) == 0 || r.bad {
		r.bad = true
		return 0, 0
	}
	first := r.b[0]
	major, first, r.b = first>>5, first&31, r.b[1:]
	if first < 24 {
		return major, uint64(first)
	}
	size := 1 << (first - 24)
	if first > 27 || size > len(r.b) {
		r.bad = true
		return 0, 0
	}
	switch size {
	case 1:
		n = uint64(r.b[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(r.b))
	case 4:
		n = uint64(binary.BigEndian.Uint32(r.b))
	default:
		n = binary.BigEndian.Uint64(r.b)
	}
	r.b = r.b[size:]
	return major, n
}

// field reads the key of a field, which come in order.
func (r *recordReader) field(last *uint64) uint64 {
	n := r.uint()
	r.bad = r.bad || n <= *last
	*last = n
	return n
}

func (r *recordReader) uint() uint64 {
	major, n := r.head()
	r.bad = r.bad || major != majorUint
	return n
}

func (r *recordReader) uint32() uint32 {
	n := r.uint()
	r.bad = r.bad || n > math.MaxUint32
	return uint32(n)
}

func (r *recordReader) int() int64 {
	major, n := r.head()
	r.bad = r.bad || major > majorNeg || n > math.MaxInt64
	if major == majorNeg {
		return -1 - int64(n)
	}
	return int64(n)
}

func (r *recordReader) bool() bool {
	if len(r.b) == 0 || r.b[0] != cborFalse && r.b[0] != cborTrue {
		r.bad = true
		return false
	}
	v := r.b[0] == cborTrue
	r.b = r.b[1:]
	return v
}

// length reads the head of a text, a list or a map, each of whose items takes a
// byte at least. It is 0 when anything is wrong.
func (r *recordReader) length(major byte) int {
	is, n := r.head()
	if is != major || n > uint64(len(r.b)) {
		r.bad = true
	}
	if r.bad {
		return 0
	}
	return int(n)
}

func (r *recordReader) text() string {
	n := r.length(majorText)
	s := unsafe.String(unsafe.SliceData(r.b), n)
	r.b = r.b[n:]
	return s
}
