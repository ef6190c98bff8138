package steps

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
)

// knownMappings gives executors the user mappings of one task.
type knownMappings struct {
	mappings map[string]*identity.Mapping // by digest
	closures map[string]*identity.Closure // likewise
}

// Mapping implements exec.Mappings.
func (k *knownMappings) Mapping(_ context.Context, ref exec.Ref) (*identity.Mapping, error) {
	m, ok := k.mappings[ref.Digest]
	if !ok && !ref.IsZero() {
		return nil, errors.New("the task names a user mapping that was not given with it")
	}
	return m, nil
}

// Closure implements exec.Mappings.
func (k *knownMappings) Closure(_ context.Context, ref exec.Ref) (*identity.Closure, error) {
	c, ok := k.closures[ref.Digest]
	if !ok && !ref.IsZero() {
		return nil, errors.New("the task names a user mapping that was not given with it")
	}
	return c, nil
}
