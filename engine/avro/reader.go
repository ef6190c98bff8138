package avro

import "encoding/binary"

// Limits say how much memory a block may take, whatever its file claims.
type Limits struct {
	Block int // bytes of it, compressed as well as decompressed
	// Text is how many bytes of text its structured values may make: a few bytes can
	// stand for much text, since names come from the schema.
	Text int
}

const (
	maxFixed   = 256 << 20 // bytes of a type, by its schema
	maxDepth   = 10_000
	maxDecimal = 4096
)

// reader reads Avro's binary encoding from a decompressed block. budget is
// what may still be written as text, of limit in all.
type reader struct {
	buf    []byte
	pos    int
	budget int
	limit  int
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
