package state

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// recordReader reads the items of a record of the form that encode gives.
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

// head reads the head of an item: its major type and its number.
func (r *recordReader) head() (major byte, n uint64) {
	if len(r.b) == 0 || r.bad {
		r.bad = true
		return 0, 0
	}
	first := r.b[0]
	r.b = r.b[1:]
	major = first >> 5
	if first &= 31; first < 24 {
		return major, uint64(first)
	}
	size := 1 << (first - 24)
	if first > 27 || size > len(r.b) {
		r.bad = true
		return 0, 0
	}
	var wide [8]byte
	copy(wide[8-size:], r.b)
	r.b = r.b[size:]
	return major, binary.BigEndian.Uint64(wide[:])
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
