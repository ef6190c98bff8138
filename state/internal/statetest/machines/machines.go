// Package machines opens states of each backend for tests, as several machines would.
package machines

import (
	"path/filepath"
	"testing"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/local"
	"reconcile/state/remote"
)

// Machine opens a state. Each call is another machine: it knows nothing of what an
// earlier one kept for itself.
type Machine func(t testing.TB) *state.Store

// Each runs a test for a state in a file and for one in an object store. What
// object stores differ in, tests of package blob see to.
func Each(t *testing.T, inline int, test func(t *testing.T, open Machine)) {
	t.Run("local", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), ".reconcile", "state.db")
		test(t, func(testing.TB) *state.Store {
			return local.Open(path, local.Options{Program: "0.1.0", InlineLimit: inline})
		})
	})
	t.Run("remote", func(t *testing.T) {
		test(t, Remote(t, remote.Options{Program: "0.1.0", InlineLimit: inline}))
	})
}

// Remote makes machines for one state in a folder that stands for a bucket.
func Remote(t testing.TB, o remote.Options) Machine {
	dir := t.TempDir()
	return func(t testing.TB) *state.Store {
		t.Helper()
		store, err := blob.NewLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		o.Cache = t.TempDir()
		return remote.Open(store, o)
	}
}

// NewLocal returns a new state in a file.
func NewLocal(t testing.TB) *state.Store {
	t.Helper()
	return local.Open(filepath.Join(t.TempDir(), ".reconcile", "state.db"), local.Options{Program: "0.1.0"})
}
