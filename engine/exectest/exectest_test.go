package exectest_test

import (
	"os"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/exectest"
	"reconcile/engine/exectest/child"
	"reconcile/engine/native"
)

// TestMain makes the test binary be the process that carries out a task, too.
func TestMain(m *testing.M) {
	if child.Started() {
		open := child.Folders()
		os.Exit(child.Serve(native.Executor{}, child.Openers{Sink: open.Sink, Source: func(location string) (exec.Source, error) {
			return exectest.OpenSource(location, open.Source)
		}}))
	}
	os.Exit(m.Run())
}

func TestInProcess(t *testing.T) {
	exectest.Run(t, func(*testing.T) exec.Executor { return native.Executor{} })
}

func TestInChildProcess(t *testing.T) {
	exectest.Run(t, func(t *testing.T) exec.Executor { return &child.Executor{Dir: t.TempDir()} })
}
