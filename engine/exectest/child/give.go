package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"reconcile/engine/exec"
)

// given is what became of the objects that a task names, by digest. The process tells
// whether it needs one that could not be handed over.
type given map[string]handedOver

// handedOver is what became of one object.
type handedOver struct {
	ref exec.Ref
	err error // why it could not be handed over
}

// give puts the objects and user mappings that a task names into a folder, each under
// its digest.
func give(ctx context.Context, t *exec.Task, env *exec.Env, dir string) (given, error) {
	out := given{}
	for _, ref := range mappingsOf(t) {
		out[ref.Digest] = handedOver{ref, giveMapping(ctx, ref, env, dir)}
	}
	for _, ref := range objectsOf(t) {
		out[ref.Digest] = handedOver{ref, giveObject(ctx, ref, env, dir)}
	}
	return out, ctx.Err()
}

// mappingsOf lists the user mappings that a task names.
func mappingsOf(t *exec.Task) []exec.Ref {
	var out []exec.Ref
	for _, m := range []*exec.Mapping{t.OldMapping, t.NewMapping} {
		if m != nil && !m.Ref.IsZero() {
			out = append(out, m.Ref)
		}
	}
	return out
}

// objectsOf lists the other objects that a task names.
func objectsOf(t *exec.Task) []exec.Ref {
	var out []exec.Ref
	if s := t.Stored; s != nil {
		out = append(append(out, s.Index...), s.KeptUsers()...)
		for _, q := range s.Quarantine {
			out = append(out, q.Ref)
		}
		for _, p := range s.Partitions {
			if !p.Shadow.IsZero() {
				out = append(out, p.Shadow)
			}
		}
	}
	return out
}

// giveMapping writes a mapping down that is at hand, as it would be stored, and copies
// any other one.
func giveMapping(ctx context.Context, ref exec.Ref, env *exec.Env, dir string) error {
	m, err := env.Mappings.Mapping(ctx, ref)
	if err != nil || m == nil {
		return giveObject(ctx, ref, env, dir)
	}
	f, err := os.Create(filepath.Join(dir, ref.Digest))
	if err != nil {
		return err
	}
	return errors.Join(m.Encode(f), f.Close())
}

// giveObject copies an object.
func giveObject(ctx context.Context, ref exec.Ref, env *exec.Env, dir string) (err error) {
	obj, err := env.Objects.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	f, err := os.Create(filepath.Join(dir, ref.Digest))
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, io.NewSectionReader(obj, 0, obj.Size())); err != nil {
		err = obj.Damaged(fmt.Errorf("copy: %w", err))
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f.Close()
}
