package avro

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/zeebo/xxh3"
)

// A text in a packed record is its number in the book of its field, or asIs if it
// stands with the rest of the record. Numbers are from firstCode up to below asIs.
const (
	firstCode = 1
	asIs      = math.MaxUint16
)

const (
	// maxBookText is the longest text that a book takes, in bytes.
	maxBookText = 1 << 10
	// judgeTexts is how many texts a book judges by whether looking them up is
	// worth its cost.
	judgeTexts = 8192
	// textCost is what a text costs a book beside its bytes.
	textCost = 80
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
	short  int // texts in each table
	long   int
	tried  int // texts since it was judged last
	missed int // those of them that had no number
}

// shelf is the memory of a book. Both tables are open addressing. A slot is entered
// by an atomic write when all that it stands for is there, and nothing of that is
// written again.
type shelf struct {
	seed  uint64
	short []shortSlot
	long  []uint64 // a hash above the number that has it; 0 is free
	off   []uint32 // the text of number c lies from off[c] to off[c+1]
	data  []byte
}

// shortSlot has a text of at most maxShort bytes.
type shortSlot struct {
	key  shortText
	code uint64 // the length above the number; 0 is free
}

// shortText is a text of at most maxShort bytes, which its length and this make up.
type shortText struct{ lo, hi uint64 }

const maxShort = 16

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
	b.shelf.Store(newShelf(rand.Uint64(), 16, 16, 16, 256))
	return b
}

func newShelf(seed uint64, short, long, codes, bytes int) *shelf {
	return &shelf{seed: seed, short: make([]shortSlot, short), long: make([]uint64, long), off: make([]uint32, codes+1), data: make([]byte, bytes)}
}

// text returns the text of a number, read only.
func (b *book) text(code uint16) []byte { return b.shelf.Load().text(code) }

func (s *shelf) text(code uint16) []byte { return s.data[s.off[code]:s.off[code+1]] }

// find returns the number of a text, asIs if it has none.
func (s *shelf) find(v []byte) uint16 {
	if len(v) <= maxShort {
		return s.findShort(shorten(v), uint64(len(v)))
	}
	h := hashLong(v)
	for i := h & uint64(len(s.long)-1); ; i = (i + 1) & uint64(len(s.long)-1) {
		e := atomic.LoadUint64(&s.long[i])
		if e == 0 {
			return asIs
		}
		if (e^h)>>16 == 0 && string(s.text(uint16(e))) == string(v) {
			return uint16(e)
		}
	}
}

func (s *shelf) findShort(k shortText, n uint64) uint16 {
	for i := s.place(k, n); ; i = (i + 1) & uint64(len(s.short)-1) {
		e := &s.short[i]
		c := atomic.LoadUint64(&e.code)
		if c == 0 {
			return asIs
		}
		if c>>16 == n && e.key == k {
			return uint16(c)
		}
	}
}

// shorten makes a text a key.
func shorten(v []byte) shortText {
	switch n := len(v); {
	case n >= 8:
		return shortText{binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint64(v[n-8:])}
	case n >= 4:
		return shortText{lo: uint64(binary.LittleEndian.Uint32(v)), hi: uint64(binary.LittleEndian.Uint32(v[n-4:]))}
	case n > 0:
		return shortText{lo: uint64(v[0]) | uint64(v[n/2])<<8 | uint64(v[n-1])<<16}
	}
	return shortText{}
}

// place returns where the search for a short text begins. That hardly any two texts
// share it cannot be arranged from outside, as nobody knows the seed.
func (s *shelf) place(k shortText, n uint64) uint64 {
	hi, lo := bits.Mul64(k.lo^s.seed, k.hi^0x9e3779b97f4a7c15+n)
	return (hi ^ lo) & uint64(len(s.short)-1)
}

// hashLong is never 0 above the bits of a number.
func hashLong(v []byte) uint64 { return xxh3.Hash(v) | 1<<63 }

// put enters the number of a text.
func (s *shelf) put(v []byte, code uint16) {
	if len(v) > maxShort {
		h := hashLong(v)
		i := h & uint64(len(s.long)-1)
		for s.long[i] != 0 {
			i = (i + 1) & uint64(len(s.long)-1)
		}
		atomic.StoreUint64(&s.long[i], h&^math.MaxUint16|uint64(code))
		return
	}
	k, n := shorten(v), uint64(len(v))
	i := s.place(k, n)
	for s.short[i].code != 0 {
		i = (i + 1) & uint64(len(s.short)-1)
	}
	s.short[i].key = k
	atomic.StoreUint64(&s.short[i].code, n<<16|uint64(code))
}

// add gives a text a number, asIs if the book takes no more.
func (b *book) add(v []byte) uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.shelf.Load()
	if code := s.find(v); code != asIs || b.full.Load() || len(v) > maxBookText {
		return code
	}
	if b.next >= asIs || !b.pool.take(len(v)+textCost) {
		b.full.Store(true)
		return asIs
	}
	if len(v) > maxShort {
		b.long++
	} else {
		b.short++
	}
	s = b.room(s, len(v))
	code := uint16(b.next)
	copy(s.data[b.used:], v)
	b.next++
	b.used += len(v)
	s.off[b.next] = uint32(b.used)
	s.put(v, code)
	return code
}

// room returns a shelf that has room for one more text of n bytes: s, or a larger
// copy, from which readers of s see nothing new.
func (b *book) room(s *shelf, n int) *shelf {
	short, long, codes, bytes := len(s.short), len(s.long), len(s.off)-1, len(s.data)
	if 2*b.short <= short && 2*b.long <= long && b.next < codes && b.used+n <= bytes {
		return s
	}
	for 2*b.short > short {
		short *= 2
	}
	for 2*b.long > long {
		long *= 2
	}
	for b.next >= codes {
		codes *= 2
	}
	for b.used+n > bytes {
		bytes *= 2
	}
	to := newShelf(s.seed, short, long, codes, bytes)
	copy(to.off, s.off)
	copy(to.data, s.data[:b.used])
	for c := firstCode; c < b.next; c++ {
		to.put(to.text(uint16(c)), uint16(c))
	}
	b.shelf.Store(to)
	return to
}

// note counts texts that were looked up and judges the book by them.
func (b *book) note(tried, missed int) {
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
