package engine

import (
	"context"
	"errors"
	"sync"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/planner"
	"reconcile/state"
)

// objects gives executors the objects of a state, and notes which are made.
type objects struct {
	store *state.Store
	made  *madeObjects // nil: nobody asks
}

// Open implements exec.Objects.
func (o objects) Open(ctx context.Context, ref exec.Ref) (exec.OpenObject, error) {
	obj, err := o.store.OpenObject(ctx, state.Ref(ref))
	if err != nil {
		return nil, classed(err)
	}
	return keptObject{obj}, nil
}

// Create implements exec.Objects.
func (o objects) Create(ctx context.Context) exec.ObjectWriter {
	return keptObjectWriter{o.store.NewObject(ctx), o.made}
}

// keptObject gives damage its class.
type keptObject struct{ *state.Object }

// Verify implements exec.OpenObject.
func (o keptObject) Verify(ctx context.Context) error { return classed(o.Object.Verify(ctx)) }

// Damaged implements exec.OpenObject.
func (o keptObject) Damaged(err error) error { return classed(o.Object.Damaged(err)) }

// classed gives the error of a damaged object its class.
func classed(err error) error {
	if bad := planner.DamagedObject(err); bad != nil {
		return &exec.Error{Class: exec.Damaged, Ref: exec.Ref(bad.Ref), Err: err}
	}
	return err
}

type keptObjectWriter struct {
	*state.ObjectWriter
	made *madeObjects
}

// Close implements exec.ObjectWriter.
func (w keptObjectWriter) Close(ctx context.Context) (*exec.Object, error) {
	s, err := w.ObjectWriter.Close(ctx)
	if err != nil {
		return nil, err
	}
	w.made.note(exec.Ref(s.Ref))
	return &exec.Object{Ref: exec.Ref(s.Ref), Bytes: s.Payload()}, nil
}

// madeObjects are those that this process wrote, whose content it knows. It can be used
// by several goroutines at once; nil notes nothing.
type madeObjects struct {
	mu      sync.Mutex
	digests map[string]bool
}

func (m *madeObjects) note(ref exec.Ref) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.digests == nil {
		m.digests = map[string]bool{}
	}
	m.digests[ref.Digest] = true
}

func (m *madeObjects) has(ref exec.Ref) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.digests[ref.Digest]
}

// knownMappings gives executors the user mappings of one task.
type knownMappings struct {
	mappings map[string]*identity.Mapping // by digest
	closures map[string]*identity.Closure // likewise
}

// Mapping implements exec.Mappings.
func (k *knownMappings) Mapping(_ context.Context, ref exec.Ref) (*identity.Mapping, error) {
	m, ok := k.mappings[ref.Digest]
	if !ok && !ref.IsZero() {
		return nil, errors.New("the task names a user mapping that was not given with it")
	}
	return m, nil
}

// Closure implements exec.Mappings.
func (k *knownMappings) Closure(_ context.Context, ref exec.Ref) (*identity.Closure, error) {
	c, ok := k.closures[ref.Digest]
	if !ok && !ref.IsZero() {
		return nil, errors.New("the task names a user mapping that was not given with it")
	}
	return c, nil
}
