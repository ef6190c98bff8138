package identity

import "slices"

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
	items  []item // scratch of the sort, twice as long as buf
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

// Build chooses one entry per source and reports what was odd about them. The
// builder is empty afterwards.
func (b *Builder) Build() (*Mapping, *Report) {
	b.flush()
	b.buf, b.items = nil, nil
	m, rep := &Mapping{}, &Report{}
	h := newHeads(b.chunks)
	for len(h) > 0 {
		var c choice
		for from := h[0].head.from; len(h) > 0 && h[0].head.from == from; {
			c.add(h[0].head)
			if !h[0].next(&b.free) {
				h[0] = h[len(h)-1]
				h = h[:len(h)-1]
			}
			h.down(0)
		}
		m.push(c.best, b.block)
		if c.hasRival {
			rep.conflict(Conflict{From: c.best.from, Chosen: c.best.to, Other: c.rival.to})
		}
	}
	*b = Builder{}
	m.Closure()
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
		b.items = make([]item, 2*len(b.buf))
	}
	a, tmp := b.items[:len(b.buf)], b.items[len(b.buf):2*len(b.buf)]
	for i, r := range b.buf {
		a[i] = item{ordered(r.from), uint32(i)}
	}
	a = sortItems(a, tmp)
	c := &chunk{}
	for i := 0; i < len(a); {
		var ch choice
		for key := a[i].key; i < len(a) && a[i].key == key; i++ {
			ch.add(b.buf[a[i].idx])
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

// heads is a heap of chunks by the source at their head.
type heads []*chunk

func newHeads(chunks []*chunk) heads {
	h := heads(slices.Clone(chunks))
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
	return h
}

func (h heads) down(i int) {
	for {
		k := 2*i + 1
		if k >= len(h) {
			return
		}
		if k+1 < len(h) && h[k+1].head.from < h[k].head.from {
			k++
		}
		if h[i].head.from <= h[k].head.from {
			return
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
}
