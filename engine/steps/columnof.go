package steps

import (
	"fmt"

	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/state"
)

// columnOf returns a column of the state as the rules know it. One whose type is not
// known comes with the error.
func columnOf(c state.Column) (rules.Column, error) {
	typ, err := column.ParseType(c.Type)
	if err != nil {
		err = fmt.Errorf("column %s in the state: %w", c.Name, err)
	}
	return rules.Column{Name: c.Name, Delivered: c.Delivered, Type: typ, Since: c.Since, Mask: definition.MaskMethod(c.Mask), Verifier: c.Verifier,
		Merge: c.Merge, Listed: c.Listed, Seen: c.Seen, Spellings: c.Spellings}, err
}
