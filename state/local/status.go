package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"reconcile/state"
	"reconcile/state/internal/files"
)

// LockStatus asks who has the lock, by taking it for a moment together with others who
// ask.
func (s *backend) LockStatus(context.Context) (_ *state.LockStatus, err error) {
	out := &state.LockStatus{Place: s.Place(), State: state.LockFree}
	f, err := files.OpenOwn(s.at.lock(), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the lock of the state: %w", err)
	}
	defer func() { err = errors.Join(err, files.Release(f)) }()
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		out.State, out.Holder = state.LockHeld, readHolder(f)
	case err != nil:
		return nil, fmt.Errorf("look at the lock of the state: %s: %w", f.Name(), err)
	}
	return out, nil
}

// ForceUnlock fails: there is nothing that outlives the holder.
func (s *backend) ForceUnlock(ctx context.Context, _ string) error {
	st, err := s.LockStatus(ctx)
	switch {
	case err != nil:
		return err
	case st.State == state.LockFree:
		return &state.NotHeldError{Place: s.Place()}
	case st.Holder.PID == 0:
		return fmt.Errorf("the lock of state %s ends with the process that holds it, which did not say who it is: find it with `fuser %s` and end it; nothing was changed", s.at, s.at.lock())
	}
	h := st.Holder
	return fmt.Errorf("the lock of state %s ends with the process that holds it: end process %d (%q) of %s on %s, which has it since %s; nothing was changed",
		s.at, h.PID, h.Command, h.User, h.Host, h.Since.UTC().Format(time.RFC3339))
}
