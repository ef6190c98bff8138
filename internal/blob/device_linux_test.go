package blob

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOtherDevice looks at folders that every Linux mounts inside others.
func TestOtherDevice(t *testing.T) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || !strings.Contains(string(mounts), " /dev/shm ") {
		t.Skip("/dev/shm is not mounted")
	}
	l, err := NewLocal("/dev")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CanMove(t.Context(), "", []string{"x/y"}); err != nil {
		t.Error(err)
	}
	err = CanMove(t.Context(), WithRetries(l, Retry{}), "a/b", []string{"a", "shm/no/such/folder"})
	if !errors.Is(err, ErrDevice) || !strings.Contains(err.Error(), "move files to /dev/shm: ") {
		t.Errorf("got %v", err)
	}
}

func TestCanMoveWithinAFolder(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700), os.Symlink("a", filepath.Join(dir, "link")), os.Symlink("/dev", filepath.Join(dir, "out"))); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{dir, filepath.Join(dir, "none")} {
		l, err := NewLocal(root)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CanMove(t.Context(), "staging", []string{"", "a", "a/b", "a/b/c/d", "link/b"}); err != nil {
			t.Errorf("%s: %v", root, err)
		}
	}
	l, err := NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CanMove(t.Context(), "", []string{"out/shm"}); !errors.Is(err, ErrOutside) {
		t.Errorf("got %v", err)
	}
	if _, err := l.List(t.Context(), "out/shm"); !errors.Is(err, ErrOutside) {
		t.Errorf("list: %v", err)
	}
}
