package rowfile

import (
	"reconcile/internal/column"
)

// Replacing lists columns by name; nil ones are left out.
func Replacing(cols ...*column.Column) map[string]*column.Column {
	out := map[string]*column.Column{}
	for _, c := range cols {
		if c != nil {
			out[c.Name] = c
		}
	}
	return out
}
