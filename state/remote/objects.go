package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"reconcile/state"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/kv"
)

// NewObject begins an object under the lease of the session there is.
func (s *backend) NewObject(ctx context.Context) *state.ObjectWriter {
	return state.NewObjectWriter(ctx, s, s.o.InlineLimit)
}

// Create begins a bulky object.
func (s *backend) Create(ctx context.Context) (state.ObjectFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return nil, errNotLocked
	}
	return &bulkyObject{s.log.chain.NewObject(ctx, s.session.Generation())}, nil
}

// bulkyObject is a bulky object that is being written.
type bulkyObject struct{ *chain.ObjectWriter }

// Finish sends the object.
func (o *bulkyObject) Finish(_ context.Context, digest string) (string, error) {
	defer o.ObjectWriter.Abort()
	ref, err := o.Commit()
	if err == nil && ref.Digest.String() != digest {
		err = fmt.Errorf("object %s was sent as one with the digest %s", digest, ref.Digest)
	}
	return ref.Name, err
}

// Abort gives the object up.
func (o *bulkyObject) Abort() error {
	o.ObjectWriter.Abort()
	return nil
}

// OpenObject opens an object of the Snapshot that was loaded last, by the holder of the
// lease or any reader.
func (s *backend) OpenObject(ctx context.Context, ref state.Ref) (*state.Object, error) {
	if !kv.ValidDigest(ref.Digest) {
		return nil, fmt.Errorf("open object: %q is not the digest of one", ref.Digest)
	}
	if ref.Name == "" {
		return s.openSmall(ctx, ref)
	}
	h, err := s.log.chain.OpenObject(ctx, ref.Name, ref.Size)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.missing(ctx, ref)
	case err != nil:
		return nil, &state.ObjectError{Ref: ref, State: s.Place(), Err: err}
	}
	return state.NewObject(ref, s.Place(), h, h), nil
}

func (s *backend) openSmall(ctx context.Context, ref state.Ref) (*state.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range []*replica{s.working(), s.seen} {
		if r == nil {
			continue
		}
		payload, err := r.Small(ref.Digest)
		if err != nil {
			return nil, &state.ObjectError{Ref: ref, State: s.Place(), Err: err}
		}
		if payload != nil {
			return state.NewSmallObject(ctx, ref, s.Place(), payload)
		}
	}
	return nil, &state.ObjectError{Ref: ref, State: s.Place(), Missing: true, Err: errors.New("it is not inside the state, where it should be")}
}

// working is the replica of the session, nil if there is none. It needs s.mu.
func (s *backend) working() *replica {
	if s.session == nil {
		return nil
	}
	return s.session.replica
}

// missing tells an object that was removed after the state was loaded from one that
// should be there.
func (s *backend) missing(ctx context.Context, ref state.Ref) error {
	s.mu.Lock()
	at := newerPosition(s.seen, s.working())
	s.mu.Unlock()
	err := s.log.chain.Missing(ctx, ref.Name, at)
	if errors.Is(err, chain.ErrBeginAgain) {
		return fmt.Errorf("object %s: %w", ref.Name, err)
	}
	return &state.ObjectError{Ref: ref, State: s.Place(), Missing: true, Err: err}
}

// pinTime is how long a look at an object may take.
const pinTime = 30 * time.Second

// ObjectPin tells whether an object was replaced.
func (s *backend) ObjectPin(ref state.Ref) string {
	if ref.Name == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), pinTime)
	defer cancel()
	h, err := s.log.chain.OpenObject(ctx, ref.Name, ref.Size)
	if err != nil {
		return ""
	}
	defer h.Close()
	o := h.Object()
	return fmt.Sprintf("%d-%s-%d", o.Size, o.Pin, o.ModTime.UnixNano())
}
