package parquet

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	"reconcile/sinks"
)

// Publish carries out one step.
//
// What stands at the destination decides, never what was done before: a
// replayed step finds its source gone and its own success in place. A pin that
// still matches proves the content of before; all else is proved by digest.
func (s *sink) Publish(ctx context.Context, st sinks.Step) (sinks.Object, error) {
	if err := checkStep(st); err != nil {
		return sinks.Object{}, err
	}
	if st.Staged == "" {
		return sinks.Object{}, s.remove(ctx, st)
	}
	o, err := s.move(ctx, st)
	if err != nil {
		return sinks.Object{}, err
	}
	return objectOf(o), nil
}

// Published returns what a move brought to its place, if that is there.
func (s *sink) Published(ctx context.Context, st sinks.Step) (sinks.Object, error) {
	if err := checkStep(st); err != nil || st.Staged == "" {
		return sinks.Object{}, err
	}
	dest, err := s.statAt(ctx, st.Path)
	if err != nil || dest == nil || dest.Size != st.Size {
		return sinks.Object{}, err
	}
	o, digests, err := s.digests(ctx, st.Path, st.After)
	if errors.Is(err, fs.ErrNotExist) {
		return sinks.Object{}, nil
	}
	if err != nil || !slices.Contains(digests, st.After) {
		return sinks.Object{}, err
	}
	return objectOf(o), nil
}

// checkStep refuses what no publish list holds.
func checkStep(st sinks.Step) error {
	err := blob.CheckKey(st.Path)
	if err == nil && st.Staged != "" {
		err = blob.CheckKey(st.Staged)
	}
	switch {
	case err != nil:
		return fmt.Errorf("publish: %w", err)
	case blob.Under(st.Path, private):
		return fmt.Errorf("publish %s: it is not the file of a table", st.Path)
	case st.Staged != "" && (st.After == "" || !blob.Under(st.Staged, staging)):
		return fmt.Errorf("publish %s: %s is not a staged file of a known digest", st.Path, st.Staged)
	}
	return nil
}

// Exists reports whether a file is there.
func (s *sink) Exists(ctx context.Context, path string) (bool, error) {
	if err := blob.CheckKey(path); err != nil {
		return false, fmt.Errorf("look at a file: %w", err)
	}
	o, err := s.statAt(ctx, path)
	return o != nil && err == nil, err
}

// statAt returns what stands at key, nil if nothing does.
func (s *sink) statAt(ctx context.Context, key string) (*blob.Object, error) {
	o, err := s.store.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &o, s.class(err)
}

func (s *sink) move(ctx context.Context, st sinks.Step) (o blob.Object, err error) {
	staged, err := s.statAt(ctx, st.Staged)
	if err != nil {
		return o, err
	}
	dest, err := s.statAt(ctx, st.Path)
	if err != nil {
		return o, err
	}
	if staged == nil || staged.Size != st.Size {
		return s.moved(ctx, st, staged, dest)
	}
	cond := blob.Absent()
	if dest != nil {
		held, digests, err := s.held(ctx, st, *dest)
		if err != nil {
			return o, err
		}
		switch {
		case slices.Contains(digests, st.Before):
			cond = blob.Match(held.Pin)
		case slices.Contains(digests, st.After):
			return held, nil
		default:
			return o, s.drift(st.Path, "it holds neither what was there nor what should be")
		}
	}
	return s.rename(ctx, st, cond)
}

func (s *sink) rename(ctx context.Context, st sinks.Step, cond blob.Cond) (blob.Object, error) {
	if err := failpoint.Hit(ctx, failpoint.PublishMoveBefore); err != nil {
		return blob.Object{}, err
	}
	o, err := s.store.Move(ctx, st.Staged, st.Path, cond)
	switch {
	case errors.Is(err, blob.ErrConflict):
		return blob.Object{}, s.drift(st.Path, "it changed just now")
	case errors.Is(err, fs.ErrNotExist):
		return blob.Object{}, s.lost(st, "it went just now")
	case err != nil:
		return blob.Object{}, s.class(err)
	}
	return o, failpoint.Hit(ctx, failpoint.PublishMoveAfter)
}

// moved judges a move whose staged file is not what it was: it is done if the
// destination holds the new content.
func (s *sink) moved(ctx context.Context, st sinks.Step, staged, dest *blob.Object) (blob.Object, error) {
	if dest != nil && dest.Size == st.Size {
		o, digests, err := s.digests(ctx, st.Path, st.After)
		if err != nil || slices.Contains(digests, st.After) {
			return o, err
		}
	}
	why := "it was removed"
	if staged != nil {
		why = fmt.Sprintf("it has %s, not the %s that were staged", amount.Of(staged.Size, "byte"), amount.Number(st.Size))
	}
	return blob.Object{}, s.lost(st, why)
}

// remove removes a data file and the folders that it leaves empty.
func (s *sink) remove(ctx context.Context, st sinks.Step) error {
	dest, err := s.statAt(ctx, st.Path)
	if err != nil {
		return err
	}
	if dest != nil {
		held, digests, err := s.held(ctx, st, *dest)
		if err != nil {
			return err
		}
		if !slices.Contains(digests, st.Before) {
			return s.drift(st.Path, "it does not hold what was there")
		}
		if err := failpoint.Hit(ctx, failpoint.PublishRemoveBefore); err != nil {
			return err
		}
		err = s.store.Delete(ctx, st.Path, blob.Match(held.Pin))
		if errors.Is(err, blob.ErrConflict) {
			return s.drift(st.Path, "it changed just now")
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.class(err)
		}
		if err := failpoint.Hit(ctx, failpoint.PublishRemoveAfter); err != nil {
			return err
		}
	}
	return s.class(s.store.RemoveEmptyFolders(ctx, blob.Dir(st.Path), ""))
}

// held returns the digests of what stands at the step's path, of the kinds that the
// step has, and the object that they are of. A pin that matches spares the reading.
func (s *sink) held(ctx context.Context, st sinks.Step, dest blob.Object) (blob.Object, []string, error) {
	if st.Before != "" && st.BeforePin != "" && dest.Pin == st.BeforePin {
		return dest, []string{st.Before}, nil
	}
	return s.digests(ctx, st.Path, st.Before, st.After)
}

// Digest returns the digest of a file's bytes that is of the kind of like.
func (s *sink) Digest(ctx context.Context, key, like string) (string, error) {
	_, digests, err := s.digests(ctx, key, like)
	if err != nil {
		return "", err
	}
	return digests[0], nil
}

// digests reads a whole file and returns its digests of the kinds of like.
func (s *sink) digests(ctx context.Context, key string, like ...string) (o blob.Object, digests []string, err error) {
	h, err := s.open(ctx, key)
	if err != nil {
		return o, nil, err
	}
	defer h.Close()
	o = h.Object()
	var sums []hash.Hash
	var all []io.Writer
	for _, d := range like {
		sum := sinks.NewDigestLike(d)
		if !slices.ContainsFunc(sums, func(x hash.Hash) bool { return x.Size() == sum.Size() }) {
			sums, all = append(sums, sum), append(all, sum)
		}
	}
	r := readerWithContext{ctx, io.NewSectionReader(h, 0, o.Size)}
	n, err := io.CopyBuffer(io.MultiWriter(all...), r, make([]byte, 1<<20))
	if err == nil && n != o.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return o, nil, fmt.Errorf("read %s: %w", s.place(key), err)
	}
	for _, sum := range sums {
		digests = append(digests, sinks.DigestText(sum))
	}
	return o, digests, nil
}

type readerWithContext struct {
	ctx context.Context
	r   io.Reader
}

func (r readerWithContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (s *sink) place(key string) string { return s.Root() + "/" + key }

func (s *sink) drift(key, why string) error {
	return fmt.Errorf("%s: %w: %s", s.place(key), sinks.ErrDrift, why)
}

func (s *sink) lost(st sinks.Step, why string) error {
	return fmt.Errorf("%s, to become %s: %w: %s", s.place(st.Staged), st.Path, sinks.ErrStagedLost, why)
}
