// Package objects gives executors the objects of a state: it reads and writes them by the
// executor's own types, and notes what this process wrote. It never makes an object part of
// the state: that a commit does.
package objects

import (
	"context"
	"sync"

	"reconcile/engine/exec"
	"reconcile/state"
)

// Objects gives executors the objects of a state, and notes which are made.
type Objects struct {
	State *state.Store
	Made  *Made // nil: nobody asks
}

// Open implements exec.Objects.
func (o Objects) Open(ctx context.Context, ref exec.Ref) (exec.OpenObject, error) {
	obj, err := o.State.OpenObject(ctx, state.Ref(ref))
	if err != nil {
		return nil, err
	}
	return obj, nil
}

// Create implements exec.Objects.
func (o Objects) Create(ctx context.Context) exec.ObjectWriter {
	return keptObjectWriter{o.State.NewObject(ctx), o.Made}
}

// keptObjectWriter notes what it made.
type keptObjectWriter struct {
	*state.ObjectWriter
	made *Made
}

// Close implements exec.ObjectWriter.
func (w keptObjectWriter) Close(ctx context.Context) (*exec.Object, error) {
	s, err := w.ObjectWriter.Close(ctx)
	if err != nil {
		return nil, err
	}
	w.made.noteDigest(exec.Ref(s.Ref))
	return &exec.Object{Ref: exec.Ref(s.Ref), Bytes: s.Payload()}, nil
}

// Made are those that this process wrote, whose content it knows. It can be used
// by several goroutines at once; nil notes nothing.
type Made struct {
	mu      sync.Mutex
	digests map[string]bool
}

func (m *Made) noteDigest(ref exec.Ref) {
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

// Has reports whether this process wrote an object.
func (m *Made) Has(ref exec.Ref) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.digests[ref.Digest]
}
