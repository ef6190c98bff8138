package state

import (
	"context"
	"errors"
)

// Renew is not there yet for a state in an object store.
func (l *remoteSession) Renew(context.Context, string) (string, error) {
	return "", errors.New("not implemented")
}
