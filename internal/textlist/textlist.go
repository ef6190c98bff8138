// Package textlist keeps many lists of texts in little memory: compact and, where all of
// them have more bytes than they may take, in a file.
//
// It promises that a list reads as it was written, or fails. It never changes a list.
package textlist

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"
	"unsafe"

	"github.com/klauspost/compress/s2"
)

// Store is where lists are. Its methods can be used by several goroutines at once.
type Store struct {
	memory int64
	temp   func() (*os.File, error)

	mu   sync.Mutex
	held int64 // bytes in memory
	file *os.File
	end  int64
}

// New returns a store that has so many bytes of lists in memory. The others are in a file
// that temp makes, which nobody else uses and which has no name any more: it goes with the
// store. Without temp, or where it fails, all are in memory.
func New(memory int, temp func() (*os.File, error)) *Store {
	return &Store{memory: int64(memory), temp: temp}
}

// List is a list of texts, which nobody changes. The zero List is empty.
type List struct {
	n    int
	data string // its blocks, empty if they are in the file
	file *os.File
	at   int64
	size int64
}

// Len is how many texts there are.
func (l List) Len() int { return l.n }

const (
	// blockBytes ends a block of texts.
	blockBytes = 32 << 10
	// worthPacking is from how many bytes on a block is compressed.
	worthPacking = 512
)

// A block is the number of its bytes, the number of those that are stored of it, fewer if it
// is compressed, and these.

// Writer makes a list.
type Writer struct {
	s     *Store
	n     int
	block []byte
	data  []byte
	room  []byte
}

// NewWriter begins a list.
func (s *Store) NewWriter() *Writer { return &Writer{s: s} }

// Add appends a text.
func (w *Writer) Add(text string) {
	w.n++
	w.block = append(binary.AppendUvarint(w.block, uint64(len(text))), text...)
	if len(w.block) >= blockBytes {
		w.flush()
	}
}

func (w *Writer) flush() {
	if len(w.block) == 0 {
		return
	}
	stored := w.block
	if len(stored) >= worthPacking {
		if n := s2.MaxEncodedLen(len(stored)); cap(w.room) < n {
			w.room = make([]byte, n)
		}
		if packed := s2.Encode(w.room[:cap(w.room)], stored); len(packed) < len(stored) {
			stored = packed
		}
	}
	w.data = binary.AppendUvarint(w.data, uint64(len(w.block)))
	w.data = binary.AppendUvarint(w.data, uint64(len(stored)))
	w.data = append(w.data, stored...)
	w.block = w.block[:0]
}

// List ends the list; the writer can then be used for another one.
func (w *Writer) List() (List, error) {
	w.flush()
	l, err := w.s.Restore(w.n, w.data)
	w.n, w.data = 0, w.data[:0]
	return l, err
}

// Restore returns the list of so many texts that Encoded gave. Whether it is one shows
// where it is read.
func (s *Store) Restore(n int, encoded []byte) (List, error) {
	l := List{n: n, size: int64(len(encoded))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held+l.size > s.memory && s.file == nil && s.temp != nil {
		var err error
		if s.file, err = s.temp(); err != nil {
			s.file, s.temp = nil, nil
		}
	}
	if s.file == nil || s.held+l.size <= s.memory {
		s.held += l.size
		l.data = string(encoded)
		return l, nil
	}
	if _, err := s.file.WriteAt(encoded, s.end); err != nil {
		return List{}, fmt.Errorf("what does not fit in memory of the lists of files: %w", err)
	}
	l.file, l.at = s.file, s.end
	s.end += l.size
	return l, nil
}

// Encoded appends the form that Restore takes.
func (l List) Encoded(b []byte) ([]byte, error) {
	if l.file == nil {
		return append(b, l.data...), nil
	}
	at := len(b)
	b = append(b, make([]byte, l.size)...)
	if _, err := l.file.ReadAt(b[at:], l.at); err != nil {
		return b[:at], fmt.Errorf("what did not fit in memory of the lists of files: %w", err)
	}
	return b, nil
}

// Size is how many bytes Encoded appends.
func (l List) Size() int64 { return l.size }

// errDamaged says that the bytes of a list are none.
var errDamaged = errors.New("a list of texts is damaged")

// All iterates over the texts, in their order. What comes with an error is the last.
func (l List) All() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for c := l.Cursor(); c.left > 0; {
			text, err := c.Next()
			if !yield(text, err) || err != nil {
				return
			}
		}
	}
}

// Cursor reads a list text by text.
type Cursor struct {
	r     *reader
	left  int
	block string
}

// Cursor begins to read the list.
func (l List) Cursor() *Cursor { return &Cursor{r: l.blocks(), left: l.n} }

// Next returns the next text. It fails with io.EOF behind the last one.
func (c *Cursor) Next() (text string, err error) {
	if c.left == 0 {
		return "", io.EOF
	}
	if c.block == "" {
		if c.block, err = c.r.next(); err != nil {
			return "", err
		}
	}
	if text, c.block, err = cut(c.block); err != nil {
		return "", err
	}
	c.left--
	return text, nil
}

// Texts returns all texts, which are together in memory then.
func (l List) Texts() ([]string, error) {
	out := make([]string, 0, min(l.n, int(l.size)))
	for text, err := range l.All() {
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// cut cuts the first text off a block.
func cut(block string) (text, rest string, err error) {
	n, size := number(block)
	if size == 0 || n > uint64(len(block)-size) {
		return "", "", errDamaged
	}
	return block[size : size+int(n)], block[size+int(n):], nil
}

// number reads the number at the beginning of s, and says how many bytes it has, 0 if there
// is none.
func number(s string) (n uint64, size int) {
	for i := 0; i < len(s) && i < binary.MaxVarintLen64; i++ {
		n |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return n, i + 1
		}
	}
	return 0, 0
}

// reader reads the blocks of a list.
type reader struct {
	data string // what is left of it, in memory
	file *bufio.Reader
	left int64
}

func (l List) blocks() *reader {
	r := &reader{data: l.data, left: l.size}
	if l.file != nil {
		r.file = bufio.NewReaderSize(io.NewSectionReader(l.file, l.at, l.size), int(min(l.size, blockBytes)))
	}
	return r
}

// next returns the next block, unpacked.
func (r *reader) next() (string, error) {
	if r.file != nil {
		return r.fromFile()
	}
	plain, a := number(r.data)
	stored, b := number(r.data[a:])
	if a == 0 || b == 0 || stored > uint64(len(r.data)-a-b) || plain == 0 {
		return "", errDamaged
	}
	block := r.data[a+b : a+b+int(stored)]
	r.data = r.data[a+b+int(stored):]
	if plain == stored {
		return block, nil
	}
	return unpack([]byte(block), plain)
}

func (r *reader) fromFile() (string, error) {
	plain, err := binary.ReadUvarint(r.file)
	if err != nil {
		return "", damaged(err)
	}
	stored, err := binary.ReadUvarint(r.file)
	if err != nil {
		return "", damaged(err)
	}
	if stored > uint64(r.left) || plain == 0 {
		return "", errDamaged
	}
	block := make([]byte, stored)
	if _, err := io.ReadFull(r.file, block); err != nil {
		return "", damaged(err)
	}
	if plain == stored {
		return unsafe.String(unsafe.SliceData(block), len(block)), nil
	}
	return unpack(block, plain)
}

// damaged is the error of a file that ends too soon, or cannot be read.
func damaged(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errDamaged
	}
	return fmt.Errorf("what did not fit in memory of the lists of files: %w", err)
}

func unpack(block []byte, plain uint64) (string, error) {
	if n, err := s2.DecodedLen(block); err != nil || uint64(n) != plain || plain > s2.MaxBlockSize {
		return "", errDamaged
	}
	out, err := s2.Decode(nil, block)
	if err != nil {
		return "", errDamaged
	}
	return unsafe.String(unsafe.SliceData(out), len(out)), nil
}
