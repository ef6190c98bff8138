package engine

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountEnv tells the test that it runs where it may mount.
const mountEnv = "RECONCILE_TEST_MOUNT"

// mayMount runs a test again as a process that may mount, and reports whether this
// is it.
func mayMount(t *testing.T) bool {
	if os.Getenv(mountEnv) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), mountEnv+"=1")
	inNamespace(t, cmd)
	return false
}

// inNamespace runs a command as root of a namespace of its own, where it may mount, and
// returns what it prints. Where that cannot be the test is skipped.
func inNamespace(t *testing.T, cmd *exec.Cmd) string {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skip("no namespaces here: ", err)
	case strings.Contains(string(out), "cannot mount"):
		t.Skip(string(out))
	case err != nil:
		t.Fatalf("%v:\n%s", err, out)
	}
	return string(out)
}

// TestOtherDevice: folders that no file can be moved to hold their table before it is
// committed, and no other; once they are as they should be it catches up.
func TestOtherDevice(t *testing.T) {
	if !mayMount(t) {
		return
	}
	tables := strings.Replace(lakeTables, "table \"*\" { sinks = [sink.parquet.lake] }",
		"table \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = [year(time)]\n}", 1)
	event := "event_id user_id time"
	for _, folder := range []string{"e", "e/year=2026"} {
		for _, late := range []bool{false, true} {
			a := newBed(t, tables)
			if late {
				a.held(a.run(dumpOf(1, full("e", avroPart(event, row(1, 10, "2025-01-05"))))))
			}
			at := filepath.Join(a.dir, "lake", filepath.FromSlash(folder))
			if late && folder == "e" {
				at = filepath.Join(a.dir, "lake", "e", "year=2027")
			}
			if err := os.MkdirAll(at, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("none", at, "tmpfs", 0, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = syscall.Unmount(at, syscall.MNT_DETACH) })
			more := dumpOf(2, more("e", avroPart(event, row(2, 10, "2026-01-05"), row(3, 10, "2027-01-05"))), more("f", avroPart(event, row(1, 10, "2026-01-05"))))
			a.held(a.run(more), "e mounted "+at)
			a.want("f", "event_id", "1")
			if snap := a.snapshot(); len(snap.Publishes) > 0 || (snap.Tables["e"] != nil) != late {
				t.Fatalf("%s: something was committed of e: %+v", at, snap.Publishes)
			}
			if err := filepath.WalkDir(filepath.Join(a.dir, "lake", "_reconcile"), func(p string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && d.Name() != "current.json" {
					t.Errorf("%s is left", p)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			a.held(a.run(), "e mounted "+at)
			if err := syscall.Unmount(at, 0); err != nil {
				t.Fatal(err)
			}
			a.held(a.run())
			a.check()
			a.checkIdle()
		}
	}
}

// TestLinksOutOfASink: a link that leads out of a sink holds its table, and no other.
func TestLinksOutOfASink(t *testing.T) {
	a := newBed(t, lakeTables)
	if err := errors.Join(os.Mkdir(filepath.Join(a.dir, "lake"), 0o755), os.Symlink(t.TempDir(), filepath.Join(a.dir, "lake", "e"))); err != nil {
		t.Fatal(err)
	}
	event := avroPart("event_id user_id", row(1, 10))
	a.held(a.run(dumpOf(1, full("e", event), full("f", event))), "e leads out of the folder")
	a.want("f", "event_id", "1")
	if err := os.Remove(filepath.Join(a.dir, "lake", "e")); err != nil {
		t.Fatal(err)
	}
	a.held(a.run())
	a.check()
	a.checkIdle()
}
