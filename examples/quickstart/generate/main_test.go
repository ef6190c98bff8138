package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestExportIsGenerated holds the export in the repository against what the
// generator writes, byte by byte.
func TestExportIsGenerated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "export")
	if err := generate(dir); err != nil {
		t.Fatal(err)
	}
	want, got := files(t, dir), files(t, "../export")
	for name, data := range want {
		if have, ok := got[name]; !ok || !bytes.Equal(have, data) {
			t.Errorf("%s in the repository is not what the generator writes", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is in the repository, and the generator does not write it", name)
		}
	}
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		out[p], err = fs.ReadFile(root, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
