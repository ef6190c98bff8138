package statetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"reconcile/internal/failpoint"
)

// A test binary runs again as a child process with these in its environment.
const (
	childEnv = "STATE_TEST_CHILD"
	failEnv  = "STATE_TEST_FAILPOINT"
)

// Main is the TestMain of tests that run their binary again: a process that Child started
// does what child says, all others run the tests.
func Main(m *testing.M, child func(ctx context.Context, what string) error) {
	what := os.Getenv(childEnv)
	if what == "" {
		os.Exit(m.Run())
	}
	if err := runChild(what, child); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runChild(what string, child func(ctx context.Context, what string) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	set, err := failpoint.Parse(os.Getenv(failEnv))
	if err != nil {
		return err
	}
	return child(failpoint.With(ctx, set), what)
}

// Child is this binary as a process that does something, with failpoints set, empty for
// none, and more of an environment.
func Child(what, fail string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childEnv+"="+what, failEnv+"="+fail), env...)
	return cmd
}
