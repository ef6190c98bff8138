package local

import (
	"path/filepath"
	"testing"

	"reconcile/state"
)

func newStore(t testing.TB) *state.Store {
	t.Helper()
	return Open(filepath.Join(t.TempDir(), ".reconcile", "state.db"), Options{Program: "0.1.0"})
}

// limited sets the size up to which objects stay inside a state.
func limited(s *state.Store, inline int) { s.Backend.(*backend).objects.inline = inline }

// at returns the paths of a state.
func at(s *state.Store) paths { return paths(s.Place()) }

// storeOf returns the state that a lock is of.
func storeOf(l *state.Lock) *state.Store {
	s := l.Session.(*session)
	return &state.Store{Backend: &backend{at: s.at, file: s.file, folder: s.folder, objects: s.objects}}
}
