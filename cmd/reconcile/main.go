// Command reconcile keeps curated datasets equal to what a Data Connect export
// says they should be: `reconcile plan` shows what would change, `reconcile
// apply` makes it so, and a second apply changes nothing.
//
// This package turns flags into options, calls the engine, shows what it
// returns and chooses the exit code. It is the only one that prints or exits,
// and it decides nothing about data.
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"reconcile/engine/states"
	"reconcile/internal/failpoint"
	"reconcile/internal/plain"
	"reconcile/state"
)

func main() { os.Exit(start(hooks{})) }

// failpointEnv names the variable by which tests make the program fail or die
// at a named step.
const failpointEnv = "RECONCILE_FAILPOINT"

// hooks change the program for tests.
type hooks struct {
	onProgress func()           // is called whenever rows were read, and work goes on
	lease      states.Lease     // of a state on S3
	now        func() time.Time // the clock; nil for that of the machine
	format     state.Format     // of the state
	machine    fs.FS            // what the kernel says of the process; nil for the truth
}

// start runs the program over the process's own arguments and streams.
func start(h hooks) (code int) {
	stderr := &errorStream{Writer: plain.Writer{W: os.Stderr}}
	// The runtime ends a panic of any goroutine but this one with exit code 2,
	// which means something else here: let it abort instead. A core file would
	// hold the keys of masks.
	debug.SetTraceback("crash")
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	defer func() {
		if r := recover(); r != nil {
			say(stderr, "Error: reconcile failed in a way it should not: %v\n\n%s\n"+
				"Please report this. The next apply goes on from what was committed.\n", r, plain.Trusted(debug.Stack()))
			code = exitError
		}
	}()
	signal.Ignore(syscall.SIGPIPE) // an apply whose output nobody reads ends well all the same
	points, err := failpoint.Parse(os.Getenv(failpointEnv))
	if err != nil {
		say(stderr, "Error: %s: %v\n", failpointEnv, err)
		return exitError
	}
	p := &program{stdin: os.Stdin, out: newOutput(os.Stdout), err: stderr, getenv: os.LookupEnv, now: h.now, machine: h.machine, hooks: h}
	if p.now == nil {
		p.now = time.Now
	}
	if p.machine == nil {
		p.machine = os.DirFS("/")
	}
	ctx, stop := interruptible(failpoint.With(context.Background(), points), stderr)
	defer stop()
	code = p.run(ctx, os.Args[1:])
	if err := p.out.flush(); err != nil && code == exitDone {
		say(stderr, "Error: the output could not be written: %v\n", err)
		code = exitError
	}
	return code
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels. The
// second ends the process at once, which is safe at any point: the next apply
// finishes or discards what was under way.
func interruptible(parent context.Context, w io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-done:
			return
		}
		fmt.Fprintln(w, "\nStopping at a safe point. Interrupt again to stop at once.")
		cancel()
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
