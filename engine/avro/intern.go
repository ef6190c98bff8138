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

// A text in an encoded record is its number in the intern table of its field, or asIs if it
// stands with the rest of the record. Numbers are from firstCode up to below asIs.
const (
	firstCode = 1
	asIs      = math.MaxUint16
)

const (
	// maxInternText is the longest text that an intern table takes, in bytes.
	maxInternText = 1 << 10
	// judgeTexts is how many texts an intern table judges by whether looking them up is
	// worth its cost.
	judgeTexts = 8192
	// textCost is what a text costs an intern table beside its bytes.
	textCost = 80
)

// internTable numbers the texts of one field that come often. What has a number keeps it.
// Any number of goroutines may use it; looking up what is there takes no lock.
type internTable struct {
	current atomic.Pointer[snapshot]
	// idle says that too few texts come again: nothing is looked up any more.
	idle atomic.Bool
	// full says that no text gets a number any more.
	full atomic.Bool

	mu     sync.Mutex
	pool   *Pool
	used   int // bytes of the snapshot's data
	next   int // number
	short  int // texts in each table
	long   int
	tried  int // texts since it was judged last
	missed int // those of them that had no number
}

// snapshot is the memory of an intern table. Both tables are open addressing. A slot is entered
// by an atomic write when all that it stands for is there, and nothing of that is
// written again.
type snapshot struct {
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

// Pool bounds the bytes that the intern tables of any number of codecs hold together.
type Pool struct{ left atomic.Int64 }

// NewPool returns a pool of so many bytes.
func NewPool(bytes int) *Pool {
	p := &Pool{}
	p.left.Store(int64(bytes))
	return p
}

// takeBytes reports whether n bytes were left, and takes them.
func (p *Pool) takeBytes(n int) bool {
	if p.left.Add(int64(-n)) >= 0 {
		return true
	}
	p.left.Add(int64(n))
	return false
}

func newInternTable(pool *Pool) *internTable {
	b := &internTable{pool: pool, next: firstCode}
	b.current.Store(newSnapshot(rand.Uint64(), 2, 2, 2, 16))
	return b
}

func newSnapshot(seed uint64, short, long, codes, bytes int) *snapshot {
	return &snapshot{seed: seed, short: make([]shortSlot, short), long: make([]uint64, long), off: make([]uint32, codes+1), data: make([]byte, bytes)}
}

// text returns the text of a number, read only.
func (b *internTable) text(code uint16) []byte { return b.current.Load().text(code) }

func (s *snapshot) text(code uint16) []byte { return s.data[s.off[code]:s.off[code+1]] }

// lookUp returns the number of a text, asIs if it has none.
func (s *snapshot) lookUp(v []byte) uint16 {
	if len(v) <= maxShort {
		return s.lookUpShort(shorten(v), uint64(len(v)))
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

func (s *snapshot) lookUpShort(k shortText, n uint64) uint16 {
	for i := s.slotOf(k, n); ; i = (i + 1) & uint64(len(s.short)-1) {
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

// slotOf returns where the search for a short text begins. That hardly any two texts
// share it cannot be arranged from outside, as nobody knows the seed.
func (s *snapshot) slotOf(k shortText, n uint64) uint64 {
	hi, lo := bits.Mul64(k.lo^s.seed, k.hi^0x9e3779b97f4a7c15+n)
	return (hi ^ lo) & uint64(len(s.short)-1)
}

// hashLong is never 0 above the bits of a number.
func hashLong(v []byte) uint64 { return xxh3.Hash(v) | 1<<63 }

// insert enters the number of a text.
func (s *snapshot) insert(v []byte, code uint16) {
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
	i := s.slotOf(k, n)
	for s.short[i].code != 0 {
		i = (i + 1) & uint64(len(s.short)-1)
	}
	s.short[i].key = k
	atomic.StoreUint64(&s.short[i].code, n<<16|uint64(code))
}

// intern gives a text a number, asIs if the table takes no more.
func (b *internTable) intern(v []byte) uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.current.Load()
	if code := s.lookUp(v); code != asIs || b.full.Load() || len(v) > maxInternText {
		return code
	}
	if b.next >= asIs || !b.pool.takeBytes(len(v)+textCost) {
		b.full.Store(true)
		return asIs
	}
	if len(v) > maxShort {
		b.long++
	} else {
		b.short++
	}
	s = b.grown(s, len(v))
	code := uint16(b.next)
	copy(s.data[b.used:], v)
	b.next++
	b.used += len(v)
	s.off[b.next] = uint32(b.used)
	s.insert(v, code)
	return code
}

// grown returns a snapshot that has room for one more text of n bytes: s, or a larger
// copy, from which readers of s see nothing new.
func (b *internTable) grown(s *snapshot, n int) *snapshot {
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
	to := newSnapshot(s.seed, short, long, codes, bytes)
	copy(to.off, s.off)
	copy(to.data, s.data[:b.used])
	for c := firstCode; c < b.next; c++ {
		to.insert(to.text(uint16(c)), uint16(c))
	}
	b.current.Store(to)
	return to
}

// judge counts texts that were looked up and judges the table by them.
func (b *internTable) judge(tried, missed int) {
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
