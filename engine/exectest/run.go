package exectest

import (
	"flag"
	"testing"

	"reconcile/engine/exec"
)

var flagWorlds = flag.Int("exec.worlds", 12, "random worlds that are played with each executor")

// Run judges an executor. make gives the one for a test, which may be used for many
// tasks at once until the test ends.
func Run(t *testing.T, make func(t *testing.T) exec.Executor) {
	e, seen := make(t), &coverage{}
	for name, play := range map[string]func(*testing.T, exec.Executor, *coverage){
		"cases": playCases, "cancelled": playCancels, "failures": playFailures, "side by side": playBeside,
		"worlds": func(t *testing.T, e exec.Executor, seen *coverage) { playWorlds(t, e, seen, *flagWorlds) },
	} {
		t.Run(name, func(t *testing.T) { play(t, e, seen) })
	}
	if !t.Failed() {
		seen.check(t)
	}
}
