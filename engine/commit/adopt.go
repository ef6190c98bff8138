package commit

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/exec"
	"reconcile/state"
)

// Adopt makes an object of a result one that a transaction can store, when its size and
// digest are what the result says. One that the result brings along is checked here. A
// bulky one has to be where the state keeps its objects (C2), and is read, unless made
// says that this process wrote it and so knows its content.
func Adopt(ctx context.Context, store *state.Store, o *exec.Object, made bool) (*state.Sealed, error) {
	if o.Bytes == nil && !made {
		if err := verify(ctx, store, state.Ref(o.Ref)); err != nil {
			return nil, fmt.Errorf("adopt an object: %w", err)
		}
	}
	s, err := state.Seal(state.Ref(o.Ref), o.Bytes)
	if err != nil {
		return nil, fmt.Errorf("adopt an object: %w", err)
	}
	return s, nil
}

// verify reads an object that the state keeps, whose size and digest its reference has.
func verify(ctx context.Context, store *state.Store, ref state.Ref) error {
	obj, err := store.OpenObject(ctx, ref)
	if err != nil {
		return err
	}
	return errors.Join(obj.Verify(ctx), obj.Close())
}
