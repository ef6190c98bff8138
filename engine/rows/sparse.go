package rows

import (
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// sparse is what a chunk has of verdicts that few of its rows have: copies of these rows.
// Whoever keeps such a row until there are many of them would keep all others, too.
type sparse struct {
	counted bool
	few     [rules.Drop + 1]bool
	copies  [rules.Drop + 1]*Chunk
	place   []int // of a row among the copies
}

// fewOf is the part of a chunk that few rows are less than.
const fewOf = 2

// ToKeep returns the row as one of a chunk that may be kept as long as the row: without
// many rows of other verdicts, unless these stay in memory anyway.
func (c *Chunk) ToKeep(i int) (*Chunk, int, error) {
	if c.stays || c.load != nil || len(c.Rows) == 1 {
		return c, i, nil
	}
	v := c.Verdict(i)
	c.count()
	if !c.sparse.few[v] {
		return c, i, nil
	}
	if c.sparse.copies[v] == nil {
		if err := c.copyRows(v); err != nil {
			return nil, 0, err
		}
	}
	return c.sparse.copies[v], c.sparse.place[i], nil
}

// count finds out which verdicts few rows have.
func (c *Chunk) count() {
	s := &c.sparse
	if s.counted {
		return
	}
	s.counted = true
	var n [rules.Drop + 1]int
	for i := range c.Rows {
		n[c.Verdict(i)]++
	}
	for v := range n {
		s.few[v] = fewOf*n[v] < len(c.Rows)
	}
}

// copyRows copies the rows of a verdict.
func (c *Chunk) copyRows(v rules.Verdict) error {
	s := &c.sparse
	if s.place == nil {
		s.place = make([]int, len(c.Rows))
	}
	out := &Chunk{Columns: c.Columns, stays: true}
	var selection []column.SourceRow
	for i := range c.Rows {
		if c.Verdict(i) != v {
			continue
		}
		s.place[i] = len(out.Rows)
		r := c.Rows[i]
		if c.Encoded() {
			record, err := c.Record(i)
			if err != nil {
				return err
			}
			r.At = uint32(len(out.block))
			out.block = append(out.block, record...)
		} else {
			selection = append(selection, column.SourceRow{Row: r.At})
			r.At = uint32(len(out.Rows))
		}
		out.Rows = append(out.Rows, r)
	}
	if !c.Encoded() {
		out.Batch = c.Batch.Select(selection)
	}
	s.copies[v] = out
	return nil
}
