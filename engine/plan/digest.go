package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// ErrNoInputs says that a plan was made without its inputs, so that there is nothing to
// take a digest of.
var ErrNoInputs = errors.New("the inputs of the plan were not asked for")

// identity is what a table's digest is of. Field numbers are never used again.
type identity struct {
	Table  string      `cbor:"1,keyasint"`
	Action Action      `cbor:"2,keyasint"`
	Steps  []Step      `cbor:"3,keyasint,omitempty"`
	Takes  []takenDump `cbor:"4,keyasint,omitempty"`
	Lost   []int64     `cbor:"5,keyasint,omitempty"`
	Inputs Inputs      `cbor:"6,keyasint"`
}

// takenDump is how a step takes a dump.
type takenDump struct {
	Dump   int64 `cbor:"1,keyasint"`
	Resync bool  `cbor:"2,keyasint,omitempty"`
	Void   bool  `cbor:"3,keyasint,omitempty"`
	Again  bool  `cbor:"4,keyasint,omitempty"`
}

// Digest identifies what a plan does to a table, and what from: its configuration, its
// inputs and its steps. It does not depend on the machine, on serials, times, estimates,
// notices or the wording of reasons. It fails with ErrNoInputs where the plan has none.
func (t *Table) Digest() (string, error) {
	if t.Inputs == nil {
		return "", fmt.Errorf("table %s: %w", t.Name, ErrNoInputs)
	}
	id := identity{Table: t.Name, Action: t.Action, Steps: t.Steps, Lost: t.Lost, Inputs: *t.Inputs}
	id.Inputs.Pending = slices.Clone(t.Inputs.Pending)
	for i, d := range id.Inputs.Pending {
		id.Inputs.Pending[i] = d.compared()
	}
	for _, d := range t.Dumps {
		id.Takes = append(id.Takes, takenDump{d.Dump, d.Resync, d.Void, d.Again})
	}
	digest, err := DigestValue(id)
	if err != nil {
		return "", fmt.Errorf("table %s: %w", t.Name, err)
	}
	return digest, nil
}

// DigestOf is the digest of a table of the plan; empty where the plan has none of it, or
// has no inputs of the table.
func (p *Plan) DigestOf(table string) (string, error) {
	for _, t := range p.Tables {
		if t.Name == table && t.Inputs != nil {
			return t.Digest()
		}
	}
	return "", nil
}

// DigestValue is the digest of a value that encodes as deterministic CBOR: plain data
// without functions and channels.
func DigestValue(v any) (string, error) {
	sum := sha256.New()
	if err := canonical(sum, v); err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
