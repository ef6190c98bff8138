package rules

import (
	"fmt"

	"reconcile/internal/column"
)

// ComputedColumn is a published column that no dump delivers: its values are computed of
// the other columns of their rows.
type ComputedColumn struct {
	Name string
	Type column.Type
}

// Compute appends the values of a computed column for all rows of a batch to out, which
// is empty and of the column's type. It reads the payload, where l says; a value must
// depend on nothing but that of its own row, so that rows can be copied as they are.
// Any number of goroutines call it at once.
type Compute func(in *column.Batch, l *Layout, out *column.Column)

// Computations are the functions of computed columns, by name: they are given beside a
// schema, which is plain data.
type Computations map[string]Compute

// Fill computes the computed columns of a published batch.
func (c Computations) Fill(b *column.Batch, s *Schema, l *Layout) error {
	out := l.Computed(b.Cols)
	for i, computed := range s.Computed {
		f, ok := c[computed.Name]
		if !ok {
			return fmt.Errorf("nothing computes the column %s", computed.Name)
		}
		out[i].Name, out[i].Type = computed.Name, computed.Type
		out[i].Reset()
		f(b, l, &out[i])
	}
	return nil
}
