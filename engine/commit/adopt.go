package commit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"reconcile/engine/exec"
	"reconcile/internal/amount"
	"reconcile/state"
)

// Adopt makes an object of a result one that a transaction can store, when its size and
// digest are what the result says. One that this process wrote, as made says, is taken as
// it is. Any other one goes to where the state keeps its objects if the result brings it
// along or it lies elsewhere; else it has to be there (C2), and is read.
func Adopt(ctx context.Context, store *state.Store, o *exec.Object, made bool) (s *state.Sealed, err error) {
	switch {
	case !made && o.Location != "":
		s, err = copied(ctx, store, o)
	case !made && o.Bytes != nil:
		s, err = written(ctx, store, o.Ref, bytes.NewReader(o.Bytes))
	case !made:
		if err = verify(ctx, store, state.Ref(o.Ref)); err == nil {
			s, err = state.Seal(state.Ref(o.Ref), nil)
		}
	default:
		s, err = state.Seal(state.Ref(o.Ref), o.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("adopt an object: %w", err)
	}
	return s, nil
}

// copied takes an object over from its location.
func copied(ctx context.Context, store *state.Store, o *exec.Object) (*state.Sealed, error) {
	f, err := os.Open(o.Location)
	if err != nil {
		return nil, err
	}
	s, err := written(ctx, store, o.Ref, f)
	return s, errors.Join(err, f.Close())
}

// written writes an object where the state keeps its own. One of other content than its
// reference says is not kept.
func written(ctx context.Context, store *state.Store, ref exec.Ref, from io.Reader) (*state.Sealed, error) {
	sum, w := sha256.New(), store.NewObject(ctx)
	n, err := io.Copy(io.MultiWriter(sum, w), from)
	if got := hex.EncodeToString(sum.Sum(nil)); err == nil && (n != ref.Size || got != ref.Digest) {
		err = fmt.Errorf("it has %s of the digest %s instead of %s of %s", amount.Of(n, "byte"), got, amount.Number(ref.Size), ref.Digest)
	}
	if err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	s, err := w.Close(ctx)
	if err != nil {
		return nil, err
	}
	s.Ref.Rows = ref.Rows
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
