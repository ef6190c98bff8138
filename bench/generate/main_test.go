package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCommands runs the commands that docs/benchmarks.md names, on a small set.
func TestCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dumps")
	for n, args := range [][]string{
		{"-set", "quarter", "-scale", "0.0005"},
		{"-add-night", "-night", "20", "-night-migrations", "2", "-night-recent"},
	} {
		if out, err := exec.Command("go", append([]string{"run", ".", "-dir", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if list, _ := filepath.Glob(filepath.Join(dir, "manifests", "*.json")); len(list) != 5+n {
			t.Errorf("%d manifests after %v", len(list), args)
		}
	}
	if out, err := exec.Command("go", "run", ".", "-dir", dir, "-set", "none").CombinedOutput(); err == nil {
		t.Errorf("a set that is not there was made: %s", out)
	}
}
