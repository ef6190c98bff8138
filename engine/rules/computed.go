package rules

import (
	"fmt"

	"reconcile/internal/column"
)

// ComputedColumn is a published column that no dump delivers: its values are computed of
// those of the payload.
type ComputedColumn struct {
	Name string
	Type column.Type
}

// Compute appends the values of a computed column, of all rows of a published batch, to
// out, which is empty and of the column's type. It reads the payload of the batch, where
// the layout says. A value depends on nothing but the payload of its own row, so that rows
// can be copied as they are. Several goroutines call it at once.
type Compute func(b *column.Batch, l *Layout, out *column.Column)

// Computed is a computed column with what computes it.
type Computed struct {
	ComputedColumn
	Compute Compute
}

// Computations compute the computed columns of schemas, by name: a schema itself is plain
// data.
type Computations map[string]Compute

// Compute gives the schema, which nobody uses yet, computed columns, and returns what
// computes them.
func (s *Schema) Compute(columns []Computed) Computations {
	out := Computations{}
	for _, c := range columns {
		s.Computed = append(s.Computed, c.ComputedColumn)
		out[c.Name] = c.Compute
	}
	return out
}

// Fill computes the computed columns of a published batch, of which all else is there.
func (c Computations) Fill(b *column.Batch, s *Schema, l *Layout) error {
	out := l.Computed(b.Cols)
	for i, computed := range s.Computed {
		compute, ok := c[computed.Name]
		if !ok {
			return fmt.Errorf("nothing computes the column %s", computed.Name)
		}
		out[i].Name, out[i].Type = computed.Name, computed.Type
		out[i].Reset()
		compute(b, l, &out[i])
	}
	return nil
}
