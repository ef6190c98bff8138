package engine

import (
	"fmt"
	"os"
	"testing"

	"reconcile/engine/exectest/child"
	"reconcile/engine/native"
)

// TestMain makes the test binary be the process that carries out a task, too.
func TestMain(m *testing.M) {
	if child.Started() {
		os.Exit(child.Serve(native.Executor{}, child.Folders()))
	}
	os.Exit(m.Run())
}

// inProcesses has a harness carry out each task in a process of its own.
func inProcesses(h *harness) {
	h.executor = &child.Executor{Dir: h.t.TempDir()}
}

// TestMasterPropertyInProcesses plays worlds of the master property again, with an
// executor that gets each task encoded, in a process of its own.
func TestMasterPropertyInProcesses(t *testing.T) {
	for i := range max(*flagWorlds*2/3, 1) {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed, inProcesses, nil)
		})
	}
}

// A state in an object store gives the objects that it adopts names of its own.
func TestMasterPropertyInProcessesWithStateAway(t *testing.T) {
	for i := range max(*flagWorlds/10, 1) {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed, func(h *harness) {
				stateInFolder(h)
				inProcesses(h)
			}, nil)
		})
	}
}
