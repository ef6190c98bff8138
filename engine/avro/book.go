package avro

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/zeebo/xxh3"
)

// A text in a packed record is its number in the book of its field, or asIs if it
// stands with the rest of the record. Numbers begin at firstCode.
const (
	asIs      = 0
	firstCode = 1
)

const (
	maxCodes = math.MaxUint16 // numbers are below it
	// maxBookText is the longest text that a book takes, in bytes.
	maxBookText = 1 << 10
	// judgeTexts is how many texts a book judges by whether looking them up is
	// worth its cost.
	judgeTexts = 8192
	// textCost is what a text costs a book beside its bytes.
	textCost = 24
)

// book numbers the texts of one field that come often. What has a number keeps it.
// Any number of goroutines may use it; looking up what is there takes no lock.
type book struct {
	shelf atomic.Pointer[shelf]
	// idle says that too few texts come again: nothing is looked up any more.
	idle atomic.Bool
	// full says that no text gets a number any more.
	full atomic.Bool

	mu     sync.Mutex
	pool   *Pool
	used   int // bytes of the shelf's data
	next   int // number
	tried  int // texts since it was judged last
	missed int // those of them that had no number
}

// shelf is the memory of a book. Everything before the number in a slot was
// written before the slot, and nothing of it is written again.
type shelf struct {
	slots []uint64 // open addressing: a hash above the number that has it; 0 is free
	mask  uint64
	off   []uint32 // the text of number c lies from off[c] to off[c+1]
	data  []byte
}

// Pool bounds the bytes that the books of any number of packings hold together.
type Pool struct{ left atomic.Int64 }

// NewPool returns a pool of so many bytes.
func NewPool(bytes int) *Pool {
	p := &Pool{}
	p.left.Store(int64(bytes))
	return p
}

// take reports whether n bytes were left, and takes them.
func (p *Pool) take(n int) bool {
	if p.left.Add(int64(-n)) >= 0 {
		return true
	}
	p.left.Add(int64(n))
	return false
}

func newBook(pool *Pool) *book {
	b := &book{pool: pool, next: firstCode}
	b.shelf.Store(newShelf(64, 32, 512))
	return b
}

func newShelf(slots, codes, bytes int) *shelf {
	return &shelf{slots: make([]uint64, slots), mask: uint64(slots - 1), off: make([]uint32, codes+1), data: make([]byte, bytes)}
}

// text returns the text of a number, read only.
func (s *shelf) text(code uint16) []byte { return s.data[s.off[code]:s.off[code+1]] }

// hashText is never 0 above the bits of a number.
func hashText(v []byte) uint64 { return xxh3.Hash(v) | 1<<63 }

// find returns the number of a text, asIs if it has none.
func (s *shelf) find(v []byte, h uint64) uint16 {
	for i := h & s.mask; ; i = (i + 1) & s.mask {
		e := atomic.LoadUint64(&s.slots[i])
		if e == 0 {
			return asIs
		}
		if (e^h)>>16 == 0 && string(s.text(uint16(e))) == string(v) {
			return uint16(e)
		}
	}
}

// put enters a number under a hash.
func (s *shelf) put(h uint64, code uint16) {
	i := h & s.mask
	for s.slots[i] != 0 {
		i = (i + 1) & s.mask
	}
	atomic.StoreUint64(&s.slots[i], h&^math.MaxUint16|uint64(code))
}

// add gives a text a number, asIs if the book takes no more.
func (b *book) add(v []byte, h uint64) uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.shelf.Load()
	if code := s.find(v, h); code != asIs || b.full.Load() || len(v) > maxBookText {
		return code
	}
	if b.next >= maxCodes || !b.pool.take(len(v)+textCost) {
		b.full.Store(true)
		return asIs
	}
	s = b.room(s, len(v))
	code := uint16(b.next)
	copy(s.data[b.used:], v)
	b.next++
	b.used += len(v)
	s.off[b.next] = uint32(b.used)
	s.put(h, code)
	return code
}

// room returns a shelf that has room for one more text of n bytes: s, or a larger
// copy, from which readers of s see nothing new.
func (b *book) room(s *shelf, n int) *shelf {
	codes, bytes := len(s.off)-1, len(s.data)
	if b.next < codes && b.used+n <= bytes {
		return s
	}
	if b.next >= codes {
		codes *= 2
	}
	for b.used+n > bytes {
		bytes *= 2
	}
	to := newShelf(2*codes, codes, bytes)
	copy(to.off, s.off)
	copy(to.data, s.data[:b.used])
	for _, e := range s.slots {
		if e != 0 {
			to.put(hashText(s.text(uint16(e))), uint16(e))
		}
	}
	b.shelf.Store(to)
	return to
}

// note counts texts that were looked up and judges the book by them.
func (b *book) note(tried, missed int) {
	if tried == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tried += tried
	b.missed += missed
	if b.tried < judgeTexts {
		return
	}
	if b.missed > b.tried*3/4 {
		b.idle.Store(true)
	}
	b.tried, b.missed = 0, 0
}
