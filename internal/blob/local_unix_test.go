//go:build unix

package blob_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"reconcile/internal/blob"
)

func TestIrregular(t *testing.T) {
	l, dir := newLocal(t)
	write(t, filepath.Join(dir, "d/f"), "x")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Skip(err)
	}
	for _, key := range []string{"pipe", "d"} {
		if _, err := l.Open(ctx, key); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("open %s: %v", key, err)
		}
		if _, err := l.Move(ctx, key, "e", blob.Cond{}); err == nil {
			t.Errorf("moved %s", key)
		}
	}
	if err := l.Delete(ctx, "d", blob.Cond{}); err == nil {
		t.Error("deleted a folder")
	}
	if _, err := l.Stat(ctx, "d/f"); err != nil {
		t.Error(err)
	}
}
