// Package examples holds configurations that run as they are. Its test runs
// each of them with the real command.
package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExamplesRun checks layout and validity of every example, applies it, and
// sees that nothing is left to do.
func TestExamplesRun(t *testing.T) {
	work := t.TempDir()
	bin := filepath.Join(work, "reconcile")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, "../cmd/reconcile").CombinedOutput(); err != nil {
		t.Fatalf("building reconcile: %v\n%s", err, out)
	}
	copyTree(t, "quickstart/export", filepath.Join(work, "quickstart", "export"))
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == "quickstart" { // which is played by its own test
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			dir := filepath.Join(work, e.Name())
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			copyConfiguration(t, e.Name(), dir)
			for _, args := range [][]string{{"fmt", "-check", "-diff"}, {"validate"}, {"plan"}, {"apply", "-auto-approve"}, {"plan", "-detailed-exitcode"}} {
				cmd := exec.CommandContext(t.Context(), bin, args...)
				cmd.Dir = dir
				cmd.Env = append(environment(), "RECONCILE_VAR_mask_key=only for this test, not a secret")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("reconcile %s: %v\n%s", strings.Join(args, " "), err, out)
				}
				if len(out) == 0 && args[0] != "fmt" {
					t.Errorf("reconcile %s says nothing", strings.Join(args, " "))
				}
			}
			checkMasks(t, dir)
		})
	}
}

// environment is that of the process without variables of configurations.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "RECONCILE_") })
}

// copyConfiguration copies the files that lie in an example's folder, not what
// somebody applied there.
func copyConfiguration(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*.hcl*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s holds no configuration (%v)", from, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// checkMasks sees that what an example masks stands in no file of its lake or
// state. Parquet pages and state values may be compressed, but a dictionary of
// a few e-mail addresses is short enough to be searched as it is.
func checkMasks(t *testing.T, dir string) {
	t.Helper()
	if filepath.Base(dir) != "production" {
		return
	}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err == nil && strings.Contains(string(data), "@example.com") {
			t.Errorf("%s holds an e-mail address in plain text", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
