package engine

import (
	"fmt"

	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/state"
)

var (
	typeInt64  = column.Type{ID: column.Int64}
	typeString = column.Type{}
)

// schema is the schema of a pass with what its data must not hold.
type schema struct {
	rules.Schema
	keys    [][]byte // of masks, by index of the payload
	compute rules.Computations
}

// newSchema adds to a schema the keys of its masks and what computes its computed columns.
func newSchema(s *rules.Schema, key func(verifier string) []byte, compute rules.Computations) *schema {
	out := &schema{Schema: *s, keys: make([][]byte, len(s.Payload)), compute: compute}
	out.Prepare()
	for i, c := range s.Payload {
		if c.Mask == definition.MaskHMAC {
			out.keys[i] = key(c.Verifier)
		}
	}
	return out
}

// uncast returns the schema under which users are read and kept.
func (s *schema) uncast() *schema { return &schema{Schema: *s.Uncast(), keys: s.keys} }

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
