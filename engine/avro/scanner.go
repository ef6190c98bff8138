package avro

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"reconcile/internal/amount"
)

const (
	syncSize = 16
	// maxMetadata bounds what a header may hold.
	maxMetadata = 16 << 20
	// maxCount bounds the records of a block before anything is known of them.
	maxCount = 1 << 30
	// readChunk is how much is allocated on a file's word alone.
	readChunk = 1 << 20
)

var errMetadata = fmt.Errorf("the header has more than %s bytes", amount.Number(maxMetadata))

// Scanner reads the blocks of one file in order. It is not safe for concurrent
// use; the blocks it hands out can go to any goroutine.
type Scanner struct {
	r      *bufio.Reader
	off    int64
	size   int64
	blocks int
	head   *Header
	sync   [syncSize]byte
	limits Limits
	err    error
}

// NewScanner reads the header of a file of size bytes, -1 if that is unknown, whose blocks
// are to keep to limits as they are stored.
// It fails with a DamageError if the header is not that of an Avro file that
// can be decoded, and with the wrapped error of r if r fails.
func NewScanner(r io.Reader, size int64, limits Limits) (*Scanner, error) {
	s := &Scanner{r: bufio.NewReaderSize(r, bufferOf(size)), size: size, blocks: -1, limits: limits}
	magic, err := s.bytes(nil, 4)
	if err == nil && string(magic) != "Obj\x01" {
		return nil, s.damage(0, fmt.Sprintf("it begins with %q, not with Avro's mark", magic), nil)
	}
	if err != nil {
		return nil, s.ended(0, "the file ends inside the header", err)
	}
	schema, codec, err := s.metadata()
	if err != nil {
		return nil, s.ended(s.off, "the metadata cannot be read", err)
	}
	at := s.off
	if err := s.readFull(s.sync[:]); err != nil {
		return nil, s.ended(at, "the file ends inside the header's sync marker", err)
	}
	s.head, err = newHeader(schema, codec)
	if err != nil {
		return nil, s.damage(4, "the file cannot be decoded", err)
	}
	s.blocks = 0
	return s, nil
}

// bufferOf is how many bytes of a file of a size are read at once: most of many files can be
// small.
func bufferOf(size int64) int {
	const most = 64 << 10
	if size < 0 {
		return most
	}
	return int(min(size, most))
}

// Header returns what the header says. It can be shared by goroutines.
func (s *Scanner) Header() *Header { return s.head }

// Next reads the next block into b, once it has its turn if it is large, and checks the
// sync marker behind it. It returns false when the file is complete. Errors are a
// DamageError, of a LimitError if the block is too large, or the wrapped error of the
// reader, and stay.
func (s *Scanner) Next(b *Block) (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	ok, err := s.nextBlock(b)
	s.err = err
	return ok, err
}

// Peek returns how many records the next block claims to have, in so many bytes. It reads
// nothing of the block, and returns false where no block comes that begins as one.
func (s *Scanner) Peek() (records, size int64, ok bool) {
	head, _ := s.r.Peek(2 * binary.MaxVarintLen64) // fewer bytes, if the file ends before
	records, n := binary.Varint(head)
	if n <= 0 {
		return 0, 0, false
	}
	size, m := binary.Varint(head[n:])
	return records, size, m > 0 && records > 0 && records <= maxCount && size > 0
}

func (s *Scanner) nextBlock(b *Block) (bool, error) {
	at := s.off
	if done, err := s.atEnd(); done || err != nil {
		return false, err
	}
	count, err := s.long()
	if err != nil {
		return false, s.ended(at, "the file ends inside the block's record count", err)
	}
	size, err := s.long()
	if err != nil {
		return false, s.ended(at, "the file ends inside the block's size", err)
	}
	if count < 0 || count > maxCount {
		return false, s.damage(at, "it claims "+amount.Of(count, "record"), nil)
	}
	if size < 0 {
		return false, s.damage(at, fmt.Sprintf("it claims %s", amount.Of(size, "byte")), nil)
	}
	if s.size >= 0 && size > s.size-s.off-syncSize {
		return false, s.damage(at, fmt.Sprintf("it claims %s, but the file has only %s left", amount.Of(size, "byte"), amount.Number(s.size-s.off)), nil)
	}
	if size > int64(s.limits.Block) {
		return false, s.damage(at, "", &LimitError{What: blockStored, Size: int(min(size, MostSize+1)), Limit: s.limits.Block})
	}
	if size > int64(s.limits.Large) {
		b.take(s.limits.Turn)
	}
	if b.Data, err = s.bytes(b.Data[:0], int(size)); err != nil {
		return false, s.ended(at, "the file ends inside the block", err)
	}
	var mark [syncSize]byte
	if err := s.readFull(mark[:]); err != nil {
		return false, s.ended(at, "the file ends inside the sync marker", err)
	}
	if !bytes.Equal(mark[:], s.sync[:]) {
		return false, s.damage(at, "the sync marker behind it is not the file's", nil)
	}
	b.Index, b.Offset, b.Count = s.blocks, at, int(count)
	s.blocks++
	return true, nil
}

// atEnd reports whether the file ends here, as a complete one does.
func (s *Scanner) atEnd() (bool, error) {
	_, err := s.r.Peek(1)
	switch {
	case err == nil && s.size >= 0 && s.off >= s.size:
		return false, s.damage(s.off, fmt.Sprintf("the file goes on behind the %s it should have", amount.Of(s.size, "byte")), nil)
	case err == nil:
		return false, nil
	case !errors.Is(err, io.EOF):
		return false, s.ended(s.off, "", err)
	case s.size >= 0 && s.off != s.size:
		return false, s.damage(s.off, "the file ends here, but should have "+amount.Of(s.size, "byte"), nil)
	}
	return true, nil
}

// metadata reads the header's map and returns the two values that matter.
func (s *Scanner) metadata() (schema, codec []byte, err error) {
	budget := int64(maxMetadata)
	for {
		n, err := s.long()
		if err != nil || n == 0 {
			return schema, codec, err
		}
		if n < 0 {
			// The size of the run is of use only to who skips it.
			if _, err = s.long(); err != nil {
				return nil, nil, err
			}
			if n = -n; n < 0 {
				return nil, nil, errLength
			}
		}
		for ; n > 0; n-- {
			key, err := s.sized(&budget)
			if err != nil {
				return nil, nil, err
			}
			value, err := s.sized(&budget)
			if err != nil {
				return nil, nil, err
			}
			switch string(key) {
			case "avro.schema":
				schema = value
			case "avro.codec":
				codec = value
			}
		}
	}
}

func (s *Scanner) sized(budget *int64) ([]byte, error) {
	n, err := s.long()
	if err != nil {
		return nil, err
	}
	// The length itself is charged too, so that empty entries end.
	switch *budget -= 1; {
	case n < 0:
		return nil, errLength
	case n > *budget:
		return nil, errMetadata
	}
	*budget -= n
	return s.bytes(nil, int(n))
}

func (s *Scanner) long() (int64, error) {
	var u uint64
	for i := range binary.MaxVarintLen64 {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, err
		}
		s.off++
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	return 0, errVarint
}

// bytes reads n bytes into dst, growing it as the bytes really come where nothing bears out
// that there are so many.
func (s *Scanner) bytes(dst []byte, n int) ([]byte, error) {
	if s.size >= 0 && int64(n) <= s.size-s.off {
		dst = slices.Grow(dst[:0], n)
	}
	for len(dst) < n {
		from := len(dst)
		to := min(n, max(cap(dst), 2*from, readChunk))
		dst = slices.Grow(dst, to-from)[:to]
		if err := s.readFull(dst[from:]); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// readFull reads all of p. io.EOF means that the file ends, and only that: a
// reader that loses its connection says io.ErrUnexpectedEOF.
func (s *Scanner) readFull(p []byte) error {
	for len(p) > 0 {
		n, err := s.r.Read(p)
		s.off += int64(n)
		p = p[n:]
		if err != nil && len(p) > 0 {
			return err
		}
	}
	return nil
}

func (s *Scanner) damage(at int64, reason string, err error) error {
	s.limits.advise(err)
	return &DamageError{Block: s.blocks, Offset: at, Reason: reason, Err: err}
}

// ended tells the end of the file and bad bytes from a reader that failed.
func (s *Scanner) ended(at int64, reason string, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return s.damage(at, reason, io.ErrUnexpectedEOF)
	case errors.Is(err, errVarint) || errors.Is(err, errLength) || errors.Is(err, errMetadata):
		return s.damage(at, reason, err)
	}
	return fmt.Errorf("reading Avro file at byte %d: %w", s.off, err)
}
