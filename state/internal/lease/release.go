package lease

import (
	"context"
	"fmt"
)

// Release ends the renewals and gives the lease back, so that the next holder need
// not wait. It leaves the store as it is, and the lease to expire, if a fence is
// owed, if KeepOpen was called, and if the lease was lost. A context that has ended
// would leave it, too: who was told to end gives another one. An error says that
// the lease may stand until it expires. A second call does nothing.
func (h *Held) Release(ctx context.Context) error {
	h.stop()
	h.releasing.Lock()
	defer h.releasing.Unlock()
	h.mu.Lock()
	left, keep := h.left(), h.owes() || h.keepOpen
	h.released = true // before the next holder can have it
	h.mu.Unlock()
	h.cancel(context.Canceled)
	<-h.stopped
	if left == 0 || keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	if err := h.giveUp(ctx); err != nil {
		return fmt.Errorf("release lease %s, which expires %s after its last renewal: %w", h.o.place(), h.o.TTL+h.o.Margin, err)
	}
	return nil
}

// giveUp writes that the lease is released. A renewal that was under way may have
// changed it, or the answer been lost: then it is read, and tried again if there is
// something new to replace.
func (h *Held) giveUp(ctx context.Context) error {
	for {
		tried := h.pinned()
		err := h.write(ctx, Released, h.o.TTL)
		if err == nil {
			return nil
		}
		lost, lerr := h.learn(ctx)
		switch {
		case lost != nil:
			return nil // it is released, or nobody's to release
		case lerr != nil || h.pinned() == tried:
			return err
		}
	}
}

func (h *Held) pinned() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pin
}
