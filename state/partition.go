package state

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// A state has a partition for each file of a lake, and all are read by every
// command. partitionReader reads their records as the library of all others does,
// but for a quarter of the price: it knows what they look like, and their texts
// stay where they are.
type partitionReader struct {
	b     []byte
	bad   bool   // what comes is not of the form that encode gives, or not at all
	files []File // room for those of many partitions
	dumps []int64
}

// read reports whether a payload is a record of the form that encode gives, which
// nobody may change from then on. Of any other, p is of no use.
func (r *partitionReader) read(payload []byte, p *Partition) bool {
	r.b, r.bad = payload, false
	var last uint64
	for range r.length(majorMap) {
		switch r.field(&last) {
		case 1:
			p.Ordinal = r.uint32()
		case 2:
			p.Value = r.int()
		case 3:
			p.Null = r.bool()
		case 4:
			p.Rows = r.int()
		case 5:
			r.list(p)
		case 6:
			r.ref(&p.Shadow)
		case 7:
			if cap(r.dumps) == len(r.dumps) {
				r.dumps = make([]int64, 0, 256)
			}
			r.dumps = append(r.dumps, r.int())
			p.Newest = &r.dumps[len(r.dumps)-1]
		default: // of a newer program
			return false
		}
	}
	return !r.bad && len(r.b) == 0
}

func (r *partitionReader) list(p *Partition) {
	n := r.length(majorArray)
	if n > cap(r.files)-len(r.files) {
		r.files = make([]File, 0, max(n, 256))
	}
	at := len(r.files)
	r.files = r.files[:at+n]
	p.Files = r.files[at : at+n : at+n]
	for i := range p.Files {
		p.Files[i] = File{}
		r.file(&p.Files[i])
	}
}

func (r *partitionReader) file(f *File) {
	var last uint64
	for range r.length(majorMap) {
		switch r.field(&last) {
		case 1:
			f.Sink = int(r.int())
		case 2:
			f.Path = r.text()
		case 3:
			f.Size = r.int()
		case 4:
			f.Rows = r.int()
		case 5:
			f.Digest = r.text()
		case 6:
			f.Pin = r.text()
		case 7:
			f.Appended = r.bool()
		default:
			r.bad = true
		}
	}
}

func (r *partitionReader) ref(to *Ref) {
	var last uint64
	for range r.length(majorMap) {
		switch r.field(&last) {
		case 1:
			to.Digest = r.text()
		case 2:
			to.Size = r.int()
		case 3:
			to.Rows = r.int()
		default:
			r.bad = true
		}
	}
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
func (r *partitionReader) head() (major byte, n uint64) {
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
func (r *partitionReader) field(last *uint64) uint64 {
	n := r.uint()
	r.bad = r.bad || n <= *last
	*last = n
	return n
}

func (r *partitionReader) uint() uint64 {
	major, n := r.head()
	r.bad = r.bad || major != majorUint
	return n
}

func (r *partitionReader) uint32() uint32 {
	n := r.uint()
	r.bad = r.bad || n > math.MaxUint32
	return uint32(n)
}

func (r *partitionReader) int() int64 {
	major, n := r.head()
	r.bad = r.bad || major > majorNeg || n > math.MaxInt64
	if major == majorNeg {
		return -1 - int64(n)
	}
	return int64(n)
}

func (r *partitionReader) bool() bool {
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
func (r *partitionReader) length(major byte) int {
	is, n := r.head()
	if is != major || n > uint64(len(r.b)) {
		r.bad = true
	}
	if r.bad {
		return 0
	}
	return int(n)
}

func (r *partitionReader) text() string {
	n := r.length(majorText)
	s := unsafe.String(unsafe.SliceData(r.b), n)
	r.b = r.b[n:]
	return s
}
