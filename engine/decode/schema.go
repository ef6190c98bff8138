package decode

import (
	"reconcile/engine/rules"
	"reconcile/internal/definition"
)

// Schema is the schema of a pass with what its data must not hold.
type Schema struct {
	rules.Schema
	Keys         [][]byte // of masks, by index of the payload
	Computations rules.Computations
}

// NewSchema adds to a schema the keys of its masks and what computes its computed columns.
func NewSchema(s *rules.Schema, key func(verifier string) []byte, compute rules.Computations) *Schema {
	out := &Schema{Schema: *s, Keys: make([][]byte, len(s.Payload)), Computations: compute}
	out.Prepare()
	for i, c := range s.Payload {
		if c.Mask == definition.MaskHMAC {
			out.Keys[i] = key(c.Verifier)
		}
	}
	return out
}

// AsKept returns the schema under which users are read and kept.
func (s *Schema) AsKept() *Schema { return &Schema{Schema: *s.Schema.Uncast(), Keys: s.Keys} }
