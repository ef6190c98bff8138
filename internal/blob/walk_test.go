package blob

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// makeTree makes a folder with all that a listing meets.
func makeTree(t *testing.T, dir string) {
	t.Helper()
	files := []string{"a", "x/y/z/deep", "x/y/f", "x/" + TempName(), ".hidden", "x/.also hidden", "x/ü", tempPrefix + "kept"}
	for i := range 1500 { // more than one call gives
		files = append(files, fmt.Sprintf("many/%s-%d", strings.Repeat("n", 100), i))
	}
	for _, f := range files {
		name := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(f), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "empty/too"), 0o777); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"to file": "a", "x/to folder": "y", "out": "/etc/passwd", "loop": "loop", "gone": "nothing"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
}

func TestBothWaysToListAgree(t *testing.T) {
	dir := t.TempDir()
	makeTree(t, dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	byKey := func(a, b Object) int { return strings.Compare(a.Key, b.Key) }
	for _, folder := range []string{"", "x", "x/y", "many", "empty"} {
		got, err := walk(context.Background(), root, folder)
		if err != nil {
			t.Fatal(err)
		}
		want, err := walkNames(context.Background(), root, folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, byKey)
		slices.SortFunc(want, byKey)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", folder, got, want)
		}
		if folder == "" && len(got) != 1500+7+5 {
			t.Errorf("%d objects", len(got))
		}
	}
}
