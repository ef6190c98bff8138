package commit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"reconcile/engine/exec"
	"reconcile/state"
)

// Adopt makes an object of a result one that a transaction can store, when its size and
// digest are what the result says. One that the result brings along is checked here, one
// that lies elsewhere is copied to where the state keeps its objects. Any other one has
// to be there (C2), and is read, unless made says that this process wrote it and so knows
// its content.
func Adopt(ctx context.Context, store *state.Store, o *exec.Object, made bool) (*state.Sealed, error) {
	if o.Location != "" {
		s, err := bring(ctx, store, o)
		if err != nil {
			return nil, fmt.Errorf("adopt an object: %w", err)
		}
		return s, nil
	}
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

// bring copies an object from its location. One of other content is not kept.
func bring(ctx context.Context, store *state.Store, o *exec.Object) (*state.Sealed, error) {
	f, err := os.Open(o.Location)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	sum, w := sha256.New(), store.NewObject(ctx)
	n, err := io.Copy(io.MultiWriter(sum, w), f)
	if got := hex.EncodeToString(sum.Sum(nil)); err == nil && (n != o.Ref.Size || got != o.Ref.Digest) {
		err = fmt.Errorf("%s has %d bytes of the digest %s instead of %d of %s", o.Location, n, got, o.Ref.Size, o.Ref.Digest)
	}
	if err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	s, err := w.Close(ctx)
	if err == nil {
		s.Ref.Rows = o.Ref.Rows
	}
	return s, err
}

// verify reads an object that the state keeps, whose size and digest its reference has.
func verify(ctx context.Context, store *state.Store, ref state.Ref) error {
	obj, err := store.OpenObject(ctx, ref)
	if err != nil {
		return err
	}
	return errors.Join(obj.Verify(ctx), obj.Close())
}
