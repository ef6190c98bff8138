package engine

import (
	"errors"

	"reconcile/state"
)

// damagedObject returns the object of the state that made something fail, nil if it
// was not one.
func damagedObject(err error) *state.ObjectError {
	var bad *state.ObjectError
	if errors.As(err, &bad) {
		return bad
	}
	return nil
}
