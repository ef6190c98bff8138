package parquet

import (
	"fmt"

	"reconcile/internal/column"
)

// group holds the rows of a row group that is not full yet.
type group struct {
	rows      column.Batch
	limit     int // bytes of them, 0 for any number
	gather    column.Gatherer
	selection []column.SourceRow
	src       [1]*column.Column
}

func newGroup(schema []column.Column, limit int) *group {
	g := &group{rows: column.Batch{Cols: make([]column.Column, len(schema))}, limit: limit}
	for i := range schema {
		g.rows.Cols[i] = column.Column{Name: schema[i].Name, Type: schema[i].Type}
	}
	return g
}

// begin readies the columns for the first rows of a row group, which few files have.
func (g *group) begin() {
	for i := range g.rows.Cols {
		g.rows.Cols[i].Reset()
	}
}

// check reports a batch that does not have the columns of the file.
func (g *group) check(b *column.Batch) error {
	if len(b.Cols) != len(g.rows.Cols) {
		return fmt.Errorf("a batch of %d columns for a file of %d", len(b.Cols), len(g.rows.Cols))
	}
	for i := range b.Cols {
		have, want := &b.Cols[i], &g.rows.Cols[i]
		if have.Name != want.Name || have.Type != want.Type {
			return fmt.Errorf("column %d of a batch is %q (%s), of the file %q (%s)", i, have.Name, have.Type, want.Name, want.Type)
		}
		if have.Len() != b.N {
			return fmt.Errorf("column %q has %d rows in a batch of %d", have.Name, have.Len(), b.N)
		}
	}
	return nil
}

// add copies n rows of b.
func (g *group) add(b *column.Batch, from, n int) {
	if g.rows.N == 0 {
		g.begin()
	}
	g.selection = g.selection[:0]
	for i := range n {
		g.selection = append(g.selection, column.SourceRow{Row: uint32(from + i)})
	}
	for i := range b.Cols {
		g.src[0] = &b.Cols[i]
		g.gather.Column(&g.rows.Cols[i], g.src[:], g.selection)
	}
	g.rows.N += n
}

// full reports whether the rows take more memory than they may.
func (g *group) full() bool { return g.limit > 0 && filled(g.rows.Cols) > g.limit }

// fills reports whether n rows of a batch take at least half as much memory as the rows may.
func (g *group) fills(b *column.Batch, n int) bool { return g.limit > 0 && n*perRow(b) > g.limit/2 }

// room is about how many rows of a batch there is memory for, at least one.
func (g *group) room(b *column.Batch) int {
	if g.limit == 0 {
		return b.N
	}
	left := g.limit
	if g.rows.N > 0 {
		left -= filled(g.rows.Cols)
	}
	return max(left, 0)/perRow(b) + 1
}

// perRow is about how many bytes a row of a batch fills, at least one.
func perRow(b *column.Batch) int { return max(filled(b.Cols)/b.N, 1) }

// filled returns about how many bytes the rows of columns fill.
func filled(cols []column.Column) int {
	m := 0
	for i := range cols {
		c := &cols[i]
		m += 4*len(c.Codes) + 8*(len(c.Ints)+len(c.Floats)) + len(c.Null)
		if c.Dict != nil {
			m += c.Dict.Size() + 16*c.Dict.Len()
		}
	}
	return m
}

// slice makes dst the n rows of b from a row on, without copying values.
func slice(dst, b *column.Batch, from, n int) *column.Batch {
	if n == b.N {
		return b
	}
	dst.N = n
	dst.Cols = append(dst.Cols[:0], b.Cols...)
	for i := range dst.Cols {
		c := &dst.Cols[i]
		c.Codes, c.Ints, c.Floats, c.Null = part(c.Codes, from, n), part(c.Ints, from, n), part(c.Floats, from, n), part(c.Null, from, n)
	}
	return dst
}

// part returns n entries of s, or none of one that is not in use.
func part[T any](s []T, from, n int) []T {
	if len(s) == 0 {
		return nil
	}
	return s[from : from+n]
}
