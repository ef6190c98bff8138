package exectest

import (
	"flag"
	"testing"

	"reconcile/engine/exec"
)

var flagWorlds = flag.Int("exec.worlds", 12, "random worlds that are played with each executor")

// Run judges an executor. create gives the one for a test, which is used for many tasks,
// several at once, until the test ends. A process of the test that opens sources by their
// locations opens them with OpenSource.
func Run(t *testing.T, create func(t *testing.T) exec.Executor) {
	e, seen, played := create(t), &coverage{}, 0
	subjects := []struct {
		name string
		play func(*testing.T, exec.Executor, *coverage)
	}{{"cases", playCases}, {"worlds", playWorlds}, {"side by side", playBeside}, {"failures", playFailures}, {"cancelled", playCancels}}
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			s.play(t, e, seen)
			played++
		})
	}
	if played == len(subjects) && !t.Failed() {
		seen.check(t)
	}
}
