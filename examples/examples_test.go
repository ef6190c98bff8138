// Package examples holds configurations that run as they are. Its test runs
// each of them with the real command.
package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob/s3test"
)

// TestExamplesRun checks layout and validity of every example, applies it, and
// checks that nothing is left to do.
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
			env := append(environment(), "RECONCILE_VAR_mask_key=only for this test, not a secret")
			run(t, bin, dir, env, []string{"fmt", "-check", "-diff"}, []string{"validate"})
			if e.Name() == "s3" {
				env = append(env, buckets(t, filepath.Join(work, "quickstart", "export"))...)
			}
			run(t, bin, dir, env, []string{"plan"}, []string{"apply", "-auto-approve"}, []string{"plan", "-detailed-exitcode"})
			checkMasks(t, dir)
		})
	}
}

// TestExampleOverTLS runs the example for S3 against servers with TLS.
func TestExampleOverTLS(t *testing.T) { s3test.OverTLS(t, "^TestExamplesRun$/^s3$") }

// run runs commands that must succeed and say something.
func run(t *testing.T, bin, dir string, env []string, commands ...[]string) {
	t.Helper()
	for _, args := range commands {
		cmd := exec.CommandContext(t.Context(), bin, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("reconcile %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		if len(out) == 0 && args[0] != "fmt" {
			t.Errorf("reconcile %s says nothing", strings.Join(args, " "))
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Logf("reconcile %s: %s", strings.Join(args, " "), lines[len(lines)-1])
	}
}

// buckets starts a server that has the export in a bucket, and empty buckets for
// the lake and the state. It returns the environment in which the S3 example finds
// them.
func buckets(t *testing.T, export string) []string {
	t.Helper()
	s := s3test.Start(t)
	in, out, state := s.Bucket(t), s.Bucket(t), s.Bucket(t)
	err := filepath.WalkDir(export, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(export, p)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		_, err = s.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &in, Key: &key, Body: bytes.NewReader(data)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(s.Env(), "RECONCILE_VAR_export_bucket="+in, "RECONCILE_VAR_manifest_bucket=csq-rs3-acme",
		"RECONCILE_VAR_lake=s3://"+out+"/heap", "RECONCILE_VAR_state_bucket="+state, "RECONCILE_VAR_region="+s.Region, "RECONCILE_VAR_endpoint="+s.Endpoint)
}

// environment is that of the process without what configurations, the AWS SDK and
// TLS go by.
func environment() []string {
	return slices.DeleteFunc(s3test.Environ(), func(v string) bool { return strings.HasPrefix(v, "RECONCILE_") })
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

// checkMasks checks that what an example masks stands in no file of its lake or
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
