package lease

import (
	"context"
	"errors"
	"fmt"

	"reconcile/internal/blob"
)

// forceTries is how often forcing is tried against renewals that come between.
const forceTries = 10

// Force takes the lease with this ID from its holder, whose next renewal fails.
// It is free when TTL and margin have passed since his last one, as he may not
// know of it so long. A damaged lease is forced by the ID that its DamagedError
// has, and a forced one stays as it is. Any other ID, and a lease that is not
// held, is an error and changes nothing.
func Force(ctx context.Context, s blob.Store, key, id string) error {
	for n := 1; ; n++ {
		next, pin, err := forced(ctx, s, key, id)
		if err != nil || next == nil {
			return err
		}
		data, err := next.encode()
		if err == nil {
			_, err = blob.Put(ctx, s, key, data, blob.Match(pin))
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, blob.ErrConflict) || n == forceTries {
			return fmt.Errorf("force lease %s/%s: %w", s.Root(), key, err)
		}
	}
}

// forced returns what is to stand in place of what has the pin; nil if that is
// there already.
func forced(ctx context.Context, s blob.Store, key, id string) (next *content, pin string, err error) {
	f, err := find(ctx, s, key)
	var damaged *DamagedError
	if errors.As(err, &damaged) && damaged.ID == id {
		return replacement(ctx, s, key, id)
	}
	switch {
	case err != nil:
		return nil, "", err
	case f == nil:
		return nil, "", fmt.Errorf("there is no lease %s/%s: nobody holds it", s.Root(), key)
	case f.ID != id:
		return nil, "", fmt.Errorf("lease %s has the ID %s, not %s; it is %s, by %s: nothing was changed", f.place, f.ID, id, f.State, f.Holder)
	case f.State == Released:
		return nil, "", fmt.Errorf("lease %s was released already: nothing was changed", f.place)
	case f.State == Forced:
		return nil, "", nil
	}
	c := f.content
	renewed := f.object.ModTime
	c.State, c.Counter, c.Fence, c.Renewed = Forced, c.Counter+1, true, &renewed
	return &c, f.object.Pin, nil
}

// replacement is a forced lease in place of a damaged one, of which nothing is
// known but when it was written.
func replacement(ctx context.Context, s blob.Store, key, pin string) (*content, string, error) {
	o, err := s.Stat(ctx, key)
	if err != nil {
		return nil, "", fmt.Errorf("look at lease %s/%s: %w", s.Root(), key, err)
	}
	return &content{Format: format, State: Forced, ID: newID(), Counter: 1, TTL: DefaultTTL.Milliseconds(), Fence: true,
		Renewed: &o.ModTime, Replaced: true}, pin, nil
}
