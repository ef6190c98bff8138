package blob_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"reconcile/internal/blob"
)

// TestSizes: only of plain files sizes are told, and a link as the last name is not
// followed.
func TestSizes(t *testing.T) {
	l, dir := newLocal(t)
	write(t, filepath.Join(dir, "a/b/c"), "12345")
	write(t, filepath.Join(dir, "empty"), "")
	if err := os.Symlink("empty", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	keys := []string{"a/b/c", "empty", "gone", "a/b", "link", "a/gone/c"}
	want := []int64{5, 0, -1, -1, -1, -1}
	if runtime.GOOS != "linux" {
		want = []int64{-1, -1, -1, -1, -1, -1}
	}
	for _, s := range []blob.Store{l, blob.WithRetries(l, blob.Retry{})} {
		if got, err := blob.Sizes(ctx, s, keys); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		if _, err := blob.Sizes(ctx, s, []string{"../x"}); err == nil {
			t.Error("a key that leads out was taken")
		}
	}
}
