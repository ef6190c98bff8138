package rows

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"reconcile/engine/rules"
)

// contest judges the rows of one bucket that are too many for memory: it sorts runs of
// them, and judges them as the runs are merged. What another row of the same key and raw
// user replaces is dropped as soon as both meet, which is most where many rows share a
// key.
type contest struct {
	d     *Decider
	most  int               // rows of a run
	met   []rules.Candidate // by the low bits of their hash
	taken []bool            // of met
	rows  []rules.Contender // of the run at hand
	file  *os.File          // of the runs; nil before the first
	ends  []int64           // of the runs in the file
}

// metRows is how many rows wait for another one of their key and raw user.
const metRows = 1 << 12

// contenderSize is what a row takes in a run.
const contenderSize = candidateSize + 8

// runBuffer is how much of a run is read at once.
const runBuffer = 16 << 10

// judgeBucket judges the rows of a bucket, of which up to so many are in memory at a time.
func (d *Decider) judgeBucket(b, most int) (err error) {
	c := &contest{d: d, most: max(most, 1), met: make([]rules.Candidate, metRows), taken: make([]bool, metRows)}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := d.eachOf(b, c.add); err != nil {
		return err
	}
	for i := range c.met {
		if c.taken[i] {
			if err := c.enter(c.met[i]); err != nil {
				return err
			}
		}
	}
	j := &rules.Judge{Set: d.handle}
	if c.file == nil {
		slices.SortFunc(c.rows, rules.CompareContenders)
		for _, r := range c.rows {
			j.Add(r)
		}
		j.End()
		return nil
	}
	if err := c.endRun(); err != nil {
		return err
	}
	return c.merge(j)
}

// add takes a row, and drops it or the one that it meets.
func (c *contest) add(r rules.Candidate) error {
	at := (uint64(r.Key)*0x9e3779b97f4a7c15 ^ uint64(r.Raw)*0xc2b2ae3d27d4eb4f) >> 52
	m := &c.met[at]
	if !c.taken[at] {
		*m, c.taken[at] = r, true
		return nil
	}
	if m.Key == r.Key && m.Raw == r.Raw {
		if rules.Newer(*m, r) {
			c.d.handle(r.Loc, rules.Drop)
			return nil
		}
		c.d.handle(m.Loc, rules.Drop)
		*m = r
		return nil
	}
	out := *m
	*m = r
	return c.enter(out)
}

// enter adds a row to the run at hand.
func (c *contest) enter(r rules.Candidate) error {
	c.rows = append(c.rows, rules.Contender{Candidate: r, User: c.d.canon(r.Raw)})
	if len(c.rows) < c.most {
		return nil
	}
	return c.endRun()
}

// endRun writes the run at hand.
func (c *contest) endRun() (err error) {
	if c.file == nil {
		if c.file, err = os.CreateTemp(c.d.dir, "contest-*"); err != nil {
			return scratchError(c.d.dir, err)
		}
	}
	slices.SortFunc(c.rows, rules.CompareContenders)
	w := bufio.NewWriterSize(c.file, runBuffer)
	var buf []byte
	for i := range c.rows {
		buf = appendCandidate(buf[:0], &c.rows[i].Candidate)
		buf = binary.LittleEndian.AppendUint64(buf, uint64(c.rows[i].User))
		_, _ = w.Write(buf) // Flush has the error
	}
	if err := w.Flush(); err != nil {
		return scratchError(c.d.dir, err)
	}
	end := int64(0)
	if n := len(c.ends); n > 0 {
		end = c.ends[n-1]
	}
	c.ends = append(c.ends, end+int64(contenderSize*len(c.rows)))
	c.rows = c.rows[:0]
	return nil
}

// contestRun reads a run.
type contestRun struct {
	in   *bufio.Reader
	next rules.Contender
}

func (r *contestRun) read() (ok bool, err error) {
	var buf [contenderSize]byte
	switch _, err := io.ReadFull(r.in, buf[:]); {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading spilled keys: %w", err)
	}
	r.next = rules.Contender{Candidate: candidateAt(buf[:]), User: int64(binary.LittleEndian.Uint64(buf[candidateSize:]))}
	return true, nil
}

// merge judges the rows of all runs.
func (c *contest) merge(j *rules.Judge) error {
	h := &runHeap{}
	from := int64(0)
	for _, end := range c.ends {
		r := &contestRun{in: bufio.NewReaderSize(io.NewSectionReader(c.file, from, end-from), runBuffer)}
		from = end
		ok, err := r.read()
		if err != nil {
			return err
		}
		if ok {
			heap.Push(h, r)
		}
	}
	for len(*h) > 0 {
		r := (*h)[0]
		j.Add(r.next)
		ok, err := r.read()
		switch {
		case err != nil:
			return err
		case ok:
			heap.Fix(h, 0)
		default:
			heap.Pop(h)
		}
	}
	j.End()
	return nil
}

// runHeap is runs in the order of their next rows.
type runHeap []*contestRun

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return rules.CompareContenders(h[i].next, h[j].next) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *runHeap) Push(x any) { *h = append(*h, x.(*contestRun)) }

// Pop implements heap.Interface.
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (c *contest) close() error {
	if c.file == nil {
		return nil
	}
	return errors.Join(c.file.Close(), os.Remove(c.file.Name()))
}
