package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

// TestMemoryLimit reads what machines and containers have in /proc and /sys/fs/cgroup. The
// first line of each archive is the limit.
func TestMemoryLimit(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d cases: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			root := fstest.MapFS{}
			for _, f := range ar.Files {
				root[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			want, _, _ := strings.Cut(string(ar.Comment), "\n")
			if got := MemoryLimit(root); parse(want) != got {
				t.Errorf("got %d, want %s", got, want)
			}
		})
	}
}

// TestThisMachine finds that the files of a real kernel can be read.
func TestThisMachine(t *testing.T) {
	if _, err := os.Stat("/proc/self/cgroup"); err != nil {
		t.Skip("no cgroups here")
	}
	root := os.DirFS("/")
	if len(readGroups(root)) == 0 || len(readMounts(root)) == 0 {
		t.Skip("no cgroup of this process can be seen")
	}
	if got := MemoryLimit(root); got < 0 || got > 0 && got < 16<<20 {
		t.Errorf("the limit of this process is %d bytes", got)
	}
}
