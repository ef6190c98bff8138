package deploy

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob/s3test"
)

// found returns what a pattern takes out of a file.
func found(t *testing.T, file, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s has nothing like %s", file, pattern)
	}
	return string(m[1])
}

// as is a process that has, besides its own group, no rights of root.
func as(cmd *exec.Cmd, uid uint32) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
}

// open lets another user pass through the folders of a test.
func open(t *testing.T, dir string) {
	t.Helper()
	for d := dir; strings.HasPrefix(d, os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCronJob runs what the CronJob does: with its arguments, as its user, with a folder of
// the configuration that cannot be written to, and everything in buckets.
func TestCronJob(t *testing.T) {
	const file, uid = "kubernetes/cronjob.yaml", 65532
	s := s3test.Start(t)
	in, lake, state := s.Bucket(t), s.Bucket(t), s.Bucket(t)
	upload(t, s, "../examples/quickstart/export", in)
	dir := t.TempDir()
	config, scratch := filepath.Join(dir, "config"), filepath.Join(dir, "scratch")
	for _, d := range []string{config, scratch} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	hcl, err := os.ReadFile("../examples/s3/main.hcl")
	if err != nil {
		t.Fatal(err)
	}
	// What the head of the file asks for.
	hcl = bytes.Replace(hcl, []byte("reconcile {\n"), []byte("reconcile {\n  scratch_dir = \""+scratch+"\"\n"), 1)
	if err := os.WriteFile(filepath.Join(config, "main.hcl"), hcl, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(config, 0o555); err != nil {
		t.Fatal(err)
	}
	open(t, config)
	open(t, filepath.Dir(program))
	if os.Getuid() == 0 {
		if err := os.Chown(scratch, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	args := strings.Split(found(t, file, `args: \[(.*)\]`), ", ")
	for i, a := range args {
		args[i] = strings.Replace(a, "-chdir=/config", "-chdir="+config, 1)
	}
	env := append(s.Env(), "RECONCILE_VAR_export_bucket="+in, "RECONCILE_VAR_manifest_bucket=csq-rs3-acme", "RECONCILE_VAR_lake=s3://"+lake+"/heap",
		"RECONCILE_VAR_state_bucket="+state, "RECONCILE_VAR_region="+s.Region, "RECONCILE_VAR_endpoint="+s.Endpoint)
	for _, want := range []string{"Apply complete! 6 tables changed.", "Apply complete! Nothing to change."} {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = env
		as(cmd, uid)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if got := found(t, file, `runAsUser: (\d+)`); got != "65532" {
		t.Errorf("the pod runs as %s", got)
	}
}

func upload(t *testing.T, s *s3test.Server, dir, bucket string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		_, err = s.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestUnit runs what the unit of systemd starts, in its working folder and with nothing in
// its environment.
func TestUnit(t *testing.T) {
	const file = "systemd/reconcile.service"
	j := newJob(t)
	j.site(t, ".")
	args := strings.Fields(found(t, file, `(?m)^ExecStart=/usr/local/bin/reconcile (.*)$`))
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = j.dir, []string{"INVOCATION_ID=1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
