package avro

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"
)

// Limits say how much memory blocks may take, whatever their files claim.
type Limits struct {
	Block int // bytes of one, compressed as well as decompressed
	// Text is how many bytes of text a structured value may make: a few bytes can
	// stand for much text, since names come from the schema.
	Text int
	// Slice is how many bytes of records, and of their texts, are decoded together, at
	// least one record; 0 takes a block as a whole.
	Slice int
	// Large is how many bytes make a block large. A large one is in memory only while it
	// has Turn, which all who share the memory share; nil lets them all have theirs.
	Large int
	Turn  sync.Locker
	// Advice says what to do about something that has so many bytes, 0 if it is not known how
	// many, and is too large; nil knows nothing.
	Advice func(size int) string
}

// advise has a LimitError say what to do.
func (l *Limits) advise(err error) {
	var large *LimitError
	if errors.As(err, &large) && l.Advice != nil {
		large.Advice = l.Advice(large.Size)
	}
}

// sliceRows is how many records of a slice of so many bytes are decoded together.
func (l *Limits) sliceRows() int {
	if l.Slice <= 0 {
		return math.MaxInt
	}
	return max(l.Slice/leastRecord, 1)
}

// leastRecord is what a record is reckoned to take at least, decoded.
const leastRecord = 64

const (
	maxFixed   = 256 << 20 // bytes of a type, by its schema
	maxDepth   = 10_000
	maxDecimal = 4096
)

// reader reads Avro's binary encoding from a decompressed block. A value may be written
// as limit bytes of text.
type reader struct {
	buf   []byte
	pos   int
	limit int
}

func (r *reader) left() int { return len(r.buf) - r.pos }

// long reads a zigzag varint of at most 64 bits.
func (r *reader) long() (int64, error) {
	u, n := binary.Uvarint(r.buf[r.pos:])
	if n <= 0 {
		if n == 0 && r.left() < binary.MaxVarintLen64 {
			return 0, errShort
		}
		return 0, errVarint
	}
	r.pos += n
	return int64(u>>1) ^ -int64(u&1), nil
}

// int reads a zigzag varint of at most 32 bits.
func (r *reader) int() (int64, error) {
	v, err := r.long()
	if err == nil && v != int64(int32(v)) {
		return 0, errInt
	}
	return v, err
}

// takeBytes returns the next n bytes, which stay the block's.
func (r *reader) takeBytes(n int) ([]byte, error) {
	if n > r.left() {
		return nil, errShort
	}
	v := r.buf[r.pos : r.pos+n]
	r.pos += n
	return v, nil
}

// bytes returns the next string or bytes value, which stays the block's.
func (r *reader) bytes() ([]byte, error) {
	n, err := r.long()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(r.left()) {
		return nil, errLength
	}
	return r.takeBytes(int(n))
}

func (r *reader) boolean() (bool, error) {
	v, err := r.takeBytes(1)
	if err != nil {
		return false, err
	}
	if v[0] > 1 {
		return false, errBoolean
	}
	return v[0] == 1, nil
}

// index reads the number of an enum symbol or union branch, below n.
func (r *reader) index(n int, wrong error) (int, error) {
	v, err := r.int()
	if err != nil {
		return 0, err
	}
	if v < 0 || v >= int64(n) {
		return 0, wrong
	}
	return int(v), nil
}

// items reads the head of a run of array items or map entries, each of at
// least width bytes. Zero items end the value. end is where the run must end,
// or -1 when the file does not say.
func (r *reader) items(width int) (n int64, end int, err error) {
	if n, err = r.long(); err != nil {
		return 0, 0, err
	}
	end = -1
	if n < 0 {
		var size int64
		if size, err = r.long(); err != nil {
			return 0, 0, err
		}
		if size < 0 || size > int64(r.left()) {
			return 0, 0, errLength
		}
		// The smallest of all stays negative here.
		n, end = -n, r.pos+int(size)
	}
	if n < 0 || (width > 0 && n > int64(r.left()/width)) {
		return 0, 0, errLength
	}
	return n, end, nil
}
