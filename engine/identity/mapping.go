package identity

import (
	"math"
	"sync"
)

// noTime stands for a null time in a column; it sorts below every real time.
const noTime = math.MinInt64

// Columns are kept in blocks of this many values, so that a mapping grows
// without copying and the builder can hand its own blocks over.
const (
	blockBits = 12
	blockLen  = 1 << blockBits
)

type block [blockLen]int64

type column []*block

func (c column) at(i int) int64 { return c[i>>blockBits][i&(blockLen-1)] }

// Mapping is the chosen target of every source id, in ascending order of the
// source. Self-maps are kept. The zero Mapping is empty. It is immutable and safe for concurrent use.
//
// A Mapping keeps its Closure once that was asked for. Who needs only the closure
// should not keep the mapping.
type Mapping struct {
	n              int
	from, to, time column

	once    sync.Once
	closure *Closure
	loops   loops
}

// Len returns the number of entries. A nil Mapping is empty.
func (m *Mapping) Len() int {
	if m == nil {
		return 0
	}
	return m.n
}

// From returns the source id of entry i; From(i) < From(i+1).
func (m *Mapping) From(i int) int64 { return m.from.at(i) }

// To returns the target id of entry i, one hop away, as delivered.
func (m *Mapping) To(i int) int64 { return m.to.at(i) }

// Time returns the time of entry i as it was added, and whether it has one.
func (m *Mapping) Time(i int) (t int64, ok bool) {
	t = m.time.at(i)
	return t, t != noTime
}

// Closure returns the mapping with all chains followed. It is computed by the
// first call, with that many goroutines. The closure of a nil Mapping is empty.
func (m *Mapping) Closure(workers int) *Closure {
	if m == nil {
		return nil
	}
	m.once.Do(func() { m.closure, m.loops = resolve(m, workers) })
	return m.closure
}

// push appends an entry whose source is greater than all before it. fresh
// gives the blocks that are needed.
func (m *Mapping) push(r rec, fresh func() *block) {
	at := m.n & (blockLen - 1)
	if at == 0 {
		m.from = append(m.from, fresh())
		m.to = append(m.to, fresh())
		m.time = append(m.time, fresh())
	}
	b := m.n >> blockBits
	m.from[b][at], m.to[b][at], m.time[b][at] = r.from, r.to, r.time
	m.n++
}

// Kept counts the source ids of a mapping that another one has, too.
func (m *Mapping) Kept(other *Mapping) int {
	kept := 0
	for i, j := 0, 0; i < m.Len() && j < other.Len(); {
		a, b := m.From(i), other.From(j)
		if a == b {
			kept++
		}
		if a <= b {
			i++
		}
		if b <= a {
			j++
		}
	}
	return kept
}
