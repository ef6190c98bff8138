package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// heaps is how many heaps a pile has. Only one heap at a time has to fit into memory.
const heaps = 512

// pile is records in heaps. What does not fit into memory is spilled.
type pile struct {
	folder func() (string, error) // of scratch files, asked for when there are any
	name   string
	limit  int

	mu      sync.Mutex
	held    int
	dir     string
	memory  [heaps][]byte
	spilled [heaps]bool
}

func heapOf(hash uint64) int { return int(hash >> (64 - 9)) }

// add takes records of a heap, each behind its length.
func (p *pile) add(heap int, records []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memory[heap] = append(p.memory[heap], records...)
	if p.held += len(records); p.held <= p.limit {
		return nil
	}
	return p.spill()
}

func (p *pile) path(heap int) string {
	return filepath.Join(p.dir, fmt.Sprintf("%s-%d", p.name, heap))
}

func (p *pile) spill() (err error) {
	if p.dir, err = p.folder(); err != nil {
		return err
	}
	for i := range p.memory {
		if len(p.memory[i]) == 0 {
			continue
		}
		f, err := os.OpenFile(p.path(i), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return fmt.Errorf("scratch_dir: %w", err)
		}
		_, err = f.Write(p.memory[i])
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("scratch_dir: %w", err)
		}
		p.memory[i], p.spilled[i] = p.memory[i][:0], true
	}
	p.held = 0
	return nil
}

// take returns the records of a heap and forgets them. Several goroutines may take heaps,
// once all records are there.
func (p *pile) take(heap int) (_ [][]byte, err error) {
	data := p.memory[heap]
	if p.spilled[heap] {
		if data, err = readAndRemove(p.path(heap), data); err != nil {
			return nil, fmt.Errorf("scratch_dir: %w", err)
		}
	}
	p.mu.Lock()
	p.held -= len(p.memory[heap])
	p.mu.Unlock()
	p.memory[heap], p.spilled[heap] = nil, false
	var out [][]byte
	for len(data) > 0 {
		n := binary.LittleEndian.Uint32(data)
		out = append(out, data[4:4+n])
		data = data[4+n:]
	}
	return out, nil
}

// readAndRemove returns what a file has and what comes behind it, and removes the file.
func readAndRemove(path string, behind []byte) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	n := int(info.Size())
	data := make([]byte, n, n+len(behind)) // large ones are not moved
	_, err = io.ReadFull(f, data)
	return append(data, behind...), errors.Join(err, f.Close(), os.Remove(path))
}

// stack collects the records of one goroutine for a pile.
type stack struct {
	pile *pile
	held int
	bufs [heaps][]byte
}

// stackSize is from where on what was collected goes to the pile.
const stackSize = 1 << 20

// add takes one record, which write appends.
func (s *stack) add(heap int, write func(b []byte) []byte) error {
	b := s.bufs[heap]
	at := len(b)
	b = write(append(b, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	s.bufs[heap] = b
	if s.held += len(b) - at; s.held < stackSize {
		return nil
	}
	return s.flush()
}

func (s *stack) flush() error {
	for i := range s.bufs {
		if len(s.bufs[i]) == 0 {
			continue
		}
		if err := s.pile.add(i, s.bufs[i]); err != nil {
			return err
		}
		s.bufs[i] = s.bufs[i][:0]
	}
	s.held = 0
	return nil
}

// fields reads a record from its beginning.
type fields []byte

func (f *fields) uint64() uint64 {
	v := binary.LittleEndian.Uint64(*f)
	*f = (*f)[8:]
	return v
}

func (f *fields) int64() int64 { return int64(f.uint64()) }

func (f *fields) uint32() uint32 {
	v := binary.LittleEndian.Uint32(*f)
	*f = (*f)[4:]
	return v
}

// value reads a value, nil for null.
func (f *fields) value() []byte {
	n := f.uint32()
	if n == nullLength {
		return nil
	}
	v := (*f)[:n:n]
	*f = (*f)[n:]
	return v
}

// values reads as many values as into has, into it.
func (f *fields) values(into [][]byte) [][]byte {
	for i := range into {
		into[i] = f.value()
	}
	return into
}

const nullLength = 1<<32 - 1

// appendField appends a value that value reads.
func appendField(b, v []byte) []byte {
	if v == nil {
		return binary.LittleEndian.AppendUint32(b, nullLength)
	}
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(v))), v...)
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// piles makes the piles of a run, and the folder for what does not fit into memory when it
// is first needed.
type piles struct {
	limit   int // bytes in memory, of all piles of a table
	scratch func() (dir string, remove func(), err error)
	made    int
	dir     string
	remove  func()
}

// pile makes one of so many piles of a table.
func (p *piles) pile(of int) *pile {
	p.made++
	return &pile{folder: p.folder, name: fmt.Sprint(p.made), limit: p.limit / of}
}

func (p *piles) folder() (string, error) {
	if p.dir != "" {
		return p.dir, nil
	}
	dir, remove, err := p.scratch()
	if err != nil {
		return "", err
	}
	p.dir, p.remove = dir, remove
	return dir, nil
}

func (p *piles) close() {
	if p.remove != nil {
		p.remove()
	}
}
