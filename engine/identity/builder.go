package identity

import (
	"reconcile/internal/heaps"
	"reconcile/internal/radix"
)

// Entry is one delivered row of user_migrations. Time is in any unit, the same
// for all entries; math.MinInt64 is not a time. Version grows with the order of
// arrival and is what decides between entries of equal time.
type Entry struct {
	From, To int64
	Time     int64
	HasTime  bool
	Version  uint64
}

type rec struct {
	from, to, time int64
	version        uint64
}

// newer reports whether a is to be chosen before b. The target itself decides
// last, so that the choice never depends on the order of Add.
func (a rec) newer(b rec) bool {
	switch {
	case a.time != b.time:
		return a.time > b.time
	case a.version != b.version:
		return a.version > b.version
	default:
		return a.to > b.to
	}
}

// choice picks among the entries of one source: the newest, and the newest of
// those that name another target.
type choice struct {
	best, rival       rec
	hasBest, hasRival bool
}

func (c *choice) add(r rec) {
	switch {
	case !c.hasBest:
		c.best, c.hasBest = r, true
	case r.to == c.best.to:
		if r.newer(c.best) {
			c.best = r
		}
	case r.newer(c.best):
		c.rival, c.hasRival = c.best, true
		c.best = r
	case !c.hasRival || r.newer(c.rival):
		c.rival, c.hasRival = r, true
	}
}

// chunkLen is the number of entries that are sorted at once.
const chunkLen = 1 << 18

// Builder collects the rows of one delivery of the mapping, in any order. It
// takes about 32 bytes per entry and is for one goroutine.
type Builder struct {
	buf    []rec
	items  []radix.Item // scratch of the sort, twice as long as buf
	chunks []*chunk
	free   []*block
}

// chunk is a sorted part of the entries: per source the best and, right after
// it, its rival if it has one.
type chunk struct {
	n                       int
	from, to, time, version column
	pos                     int
	head                    rec // the entry at pos
}

// NewBuilder returns an empty builder.
func NewBuilder() *Builder { return &Builder{} }

// Add takes one entry.
func (b *Builder) Add(e Entry) {
	r := rec{from: e.From, to: e.To, time: noTime, version: e.Version}
	if e.HasTime {
		r.time = e.Time
	}
	b.buf = append(b.buf, r)
	if len(b.buf) == chunkLen {
		b.flush()
	}
}

// Build chooses one entry per source and reports irregular ones, with that many
// goroutines. The builder is empty afterwards.
func (b *Builder) Build(workers int) (*Mapping, *Report) {
	b.flush()
	b.buf, b.items = nil, nil
	m, rep := &Mapping{}, &Report{}
	h := make([]heaps.Item, len(b.chunks))
	for i, c := range b.chunks {
		h[i] = heaps.Item{High: c.head.from, Of: i}
	}
	heaps.Make(h)
	for len(h) > 0 {
		var c choice
		for from := h[0].High; len(h) > 0 && h[0].High == from; {
			first := b.chunks[h[0].Of]
			c.add(first.head)
			if !first.next(&b.free) {
				h = heaps.Pop(h)
				continue
			}
			h[0].High = first.head.from
			heaps.Fix(h)
		}
		m.push(c.best, b.block)
		if c.hasRival {
			rep.conflict(Conflict{From: c.best.from, Chosen: c.best.to, Other: c.rival.to})
		}
	}
	*b = Builder{}
	m.Closure(workers)
	rep.Entries = m.n
	rep.loops = m.loops
	return m, rep
}

// flush moves the buffered entries to a chunk.
func (b *Builder) flush() {
	if len(b.buf) == 0 {
		return
	}
	if len(b.items) < 2*len(b.buf) {
		b.items = make([]radix.Item, 2*len(b.buf))
	}
	a, tmp := b.items[:len(b.buf)], b.items[len(b.buf):2*len(b.buf)]
	differ := uint64(0)
	for i, r := range b.buf {
		a[i] = radix.Item{Key: ordered(r.from), At: uint32(i)}
		differ |= a[i].Key ^ a[0].Key
	}
	a = radix.Sort(a, tmp, differ)
	c := &chunk{}
	for i := 0; i < len(a); {
		var ch choice
		for key := a[i].Key; i < len(a) && a[i].Key == key; i++ {
			ch.add(b.buf[a[i].At])
		}
		c.push(ch.best)
		if ch.hasRival {
			c.push(ch.rival)
		}
	}
	c.load()
	b.chunks = append(b.chunks, c)
	b.buf = b.buf[:0]
}

// block returns a block that the merge has emptied, or a new one.
func (b *Builder) block() *block {
	if n := len(b.free); n > 0 {
		p := b.free[n-1]
		b.free = b.free[:n-1]
		return p
	}
	return new(block)
}

func (c *chunk) push(r rec) {
	at := c.n & (blockLen - 1)
	if at == 0 {
		c.from, c.to = append(c.from, new(block)), append(c.to, new(block))
		c.time, c.version = append(c.time, new(block)), append(c.version, new(block))
	}
	i := c.n >> blockBits
	c.from[i][at], c.to[i][at], c.time[i][at] = r.from, r.to, r.time
	c.version[i][at] = int64(r.version)
	c.n++
}

func (c *chunk) load() {
	i := c.pos
	c.head = rec{c.from.at(i), c.to.at(i), c.time.at(i), uint64(c.version.at(i))}
}

// next moves to the following entry and gives away the blocks it has left. It
// returns false at the end.
func (c *chunk) next(free *[]*block) bool {
	c.pos++
	if c.pos&(blockLen-1) == 0 || c.pos == c.n {
		i := (c.pos - 1) >> blockBits
		*free = append(*free, c.from[i], c.to[i], c.time[i], c.version[i])
		c.from[i], c.to[i], c.time[i], c.version[i] = nil, nil, nil, nil
	}
	if c.pos == c.n {
		return false
	}
	c.load()
	return true
}
