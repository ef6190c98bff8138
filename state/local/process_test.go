package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// pathEnv names the state to a child process.
const pathEnv = "STATE_TEST_PATH"

func TestMain(m *testing.M) { statetest.Main(m, child) }

func child(ctx context.Context, what string) error {
	s := Open(os.Getenv(pathEnv), Options{Program: "0.1.0", InlineLimit: 100})
	h := state.NewHolder("apply")
	h.User = "child"
	l, err := s.Lock(ctx, h, 0)
	if err != nil {
		return err
	}
	defer l.Unlock()
	switch what {
	case "hold":
		fmt.Println("locked")
		_, err := io.Copy(io.Discard, os.Stdin) // until the parent closes it or kills us
		return err
	case "write":
		fmt.Println("locked")
		return keepWriting(ctx, l)
	case "compact":
		return l.Compact(ctx)
	}
	return commitOnce(ctx, l)
}

// keepWriting commits pairs of tables that are always of one serial.
func keepWriting(ctx context.Context, l *state.Lock) error {
	for i := range 150 {
		err := l.Update(ctx, func(tx *state.Tx) error {
			errs := []error{tx.PutTable(statetest.Table("a", tx.Serial())), tx.PutTable(statetest.Table("b", tx.Serial()))}
			tx.DeletePartitions("a")
			for o := range uint32(i % 70) {
				errs = append(errs, tx.PutPartition("a", statetest.Partition(o, int64(tx.Serial()))))
			}
			return errors.Join(errs...)
		})
		if err == nil && i%40 == 7 {
			err = l.Compact(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commitOnce writes a bulky object and a transaction that names it.
func commitOnce(ctx context.Context, l *state.Lock) error {
	w := storeOf(l).NewObject(ctx)
	if _, err := w.Write(statetest.Random(1000)); err != nil {
		return err
	}
	o, err := w.Close(ctx)
	if err != nil {
		return err
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		t := statetest.Table("new", tx.Serial())
		t.Index = []state.Ref{o.Ref}
		return errors.Join(tx.PutTable(t), tx.PutObject(o))
	})
}

type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

func start(t *testing.T, what, path, fail string) *process {
	t.Helper()
	cmd := statetest.Child(what, fail, pathEnv+"="+path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, stdin: stdin, out: bufio.NewReader(out)}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return p
}

func (p *process) waitLocked(t *testing.T) {
	t.Helper()
	if line, err := p.out.ReadString('\n'); line != "locked\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
}

func TestTheSecondWriterGetsTheHoldersName(t *testing.T) {
	s := newStore(t)
	p := start(t, "hold", s.Place(), "")
	p.waitLocked(t)
	begin := time.Now()
	_, err := s.Lock(t.Context(), state.NewHolder("apply"), 0)
	var locked *state.LockedError
	if !errors.Is(err, state.ErrLocked) || !errors.As(err, &locked) {
		t.Fatalf("got %v, want a *LockedError", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the answer took %v", took)
	}
	if h := locked.Holder; h.PID != p.cmd.Process.Pid || h.User != "child" || h.Command != "apply" || h.Since.IsZero() {
		t.Errorf("holder %+v, want process %d", h, p.cmd.Process.Pid)
	}
	for _, part := range []string{s.Place(), "child@", fmt.Sprint(p.cmd.Process.Pid), "apply"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %s", err, part)
		}
	}

	// One that waits gets it when the holder goes.
	got := make(chan error, 1)
	go func() {
		l, err := s.Lock(t.Context(), state.NewHolder("apply"), 10*time.Second)
		if err == nil {
			err = l.Unlock()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("waited in vain: %v", err)
	}
}

func TestAKilledHolderLeavesNoLock(t *testing.T) {
	s := newStore(t)
	p := start(t, "hold", s.Place(), "")
	p.waitLocked(t)
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	l := statetest.Lock(t, s)
	statetest.Fill(t, s, l)
	_, err := s.Lock(t.Context(), state.NewHolder("apply"), 0)
	var locked *state.LockedError
	if !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() {
		t.Errorf("got %v, want this process named", err)
	}
}

func TestWaitForALockEnds(t *testing.T) {
	s := newStore(t)
	statetest.Lock(t, s)
	begin := time.Now()
	if _, err := s.Lock(t.Context(), state.NewHolder("x"), 150*time.Millisecond); !errors.Is(err, state.ErrLocked) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took < 150*time.Millisecond || took > 5*time.Second {
		t.Errorf("waited %v, want 150ms", took)
	}
	if _, err := s.Lock(statetest.Within(t, 50*time.Millisecond), state.NewHolder("x"), time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// Who waits for a lock file that is removed meanwhile gets the lock of the new
// one, not of a file that nobody else sees.
func TestALockFileThatIsRemovedWhileWaiting(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	got := make(chan *state.Lock, 1)
	go func() {
		second, err := s.Lock(t.Context(), state.NewHolder("apply"), 10*time.Second)
		if err != nil {
			t.Error(err)
		}
		got <- second
	}()
	time.Sleep(100 * time.Millisecond)
	if err := os.Remove(at(s).lock()); err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	second := <-got
	statetest.Update(t, second, func(tx *state.Tx) error { return tx.PutTable(statetest.Table("t", 1)) })
	if err := second.Unlock(); err != nil {
		t.Error(err)
	}
}

// The folder of a state can be one that a plan made for its own files, and removes when it
// ends if it is empty then.
func TestALockInAFolderThatIsRemoved(t *testing.T) {
	dir := t.TempDir()
	for n := range 100 {
		above := filepath.Join(dir, fmt.Sprint(n))
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for removed := 0; removed < 20; { // fewer than the lock tries, however slow the disk is
				select {
				case <-done:
					return
				default:
				}
				for _, dir := range []string{filepath.Join(above, "states"), above} {
					if os.Remove(dir) == nil {
						removed++
					}
				}
			}
		})
		s := Open(filepath.Join(above, "states", "state.db"), Options{})
		l, err := s.Lock(t.Context(), state.NewHolder("apply"), 0)
		close(done)
		wg.Wait()
		if err != nil {
			t.Fatalf("lock %d: %v", n, err)
		}
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALockThatFailsIsGivenBack(t *testing.T) {
	s := newStore(t)
	set, err := failpoint.Parse("lock.acquired=error")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock(failpoint.With(t.Context(), set), state.NewHolder("x"), 0); !errors.Is(err, failpoint.ErrInjected) {
		t.Errorf("got %v", err)
	}
	statetest.Lock(t, s)
}

func TestReadersDuringUpdates(t *testing.T) {
	s := newStore(t)
	p := start(t, "write", s.Place(), "")
	p.waitLocked(t)
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	loads, last := 0, uint64(0)
	for {
		snap, err := s.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := snap.Close(); err != nil {
			t.Fatal(err)
		}
		checkPair(t, snap)
		if snap.Serial < last {
			t.Fatalf("serial %d after %d", snap.Serial, last)
		}
		last = snap.Serial
		loads++
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("the writer: %v", err)
			}
			if end := statetest.Load(t, s).Serial; end != 150 {
				t.Errorf("serial %d after 150 transactions", end)
			}
			t.Logf("%d loads meanwhile", loads)
			return
		default:
		}
	}
}

func checkPair(t *testing.T, snap *state.Snapshot) {
	t.Helper()
	a, b := snap.Tables["a"], snap.Tables["b"]
	if snap.Serial == 0 && a == nil && b == nil {
		return
	}
	if a == nil || b == nil || a.Commit != snap.Serial || b.Commit != snap.Serial || len(snap.Partitions["a"]) != int(snap.Serial-1)%70 {
		t.Fatalf("a mixture of transactions at serial %d: %+v, %+v, %d partitions", snap.Serial, a, b, len(snap.Partitions["a"]))
	}
}

// Killed at any durable step, the state is that before or that after, and the
// next run goes on from there.
func TestKilledAtEveryFailpoint(t *testing.T) {
	for spec, committed := range map[string]bool{
		"object.write=exit": false, "object.rename=exit": false,
		"state.commit.before=exit": false, "state.commit.after=exit": true,
	} {
		for _, fresh := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,fresh=%v", spec, fresh), func(t *testing.T) {
				s := newStore(t)
				limited(s, 100)
				if !fresh {
					l := statetest.Lock(t, s)
					statetest.Fill(t, s, l)
					if err := l.Unlock(); err != nil {
						t.Fatal(err)
					}
				}
				before := statetest.Load(t, s)
				mustExit137(t, start(t, "commit", s.Place(), spec))
				after := statetest.Load(t, s)
				if _, there := after.Tables["new"]; there != committed {
					t.Fatalf("committed: %v, want %v", there, committed)
				}
				if d := statetest.Diff(before, after); !committed && d != "" {
					t.Fatal(d)
				}
				if err := start(t, "commit", s.Place(), "").cmd.Wait(); err != nil {
					t.Fatalf("the next run: %v", err)
				}
				statetest.CheckContent(t, s, statetest.Load(t, s).Tables["new"].Index[0], statetest.Random(1000))
				l := statetest.Lock(t, s)
				if _, err := l.Collect(t.Context(), func(string) bool { return true }); err != nil || len(objectFiles(t, s)) != 1 {
					t.Errorf("left %v, %v", objectFiles(t, s), err)
				}
			})
		}
	}
}

func TestKilledInCompaction(t *testing.T) {
	for _, spec := range []string{"state.commit.before=exit", "state.commit.after=exit"} {
		s := newStore(t)
		l := statetest.Lock(t, s)
		statetest.Fill(t, s, l)
		before := statetest.Load(t, s)
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		mustExit137(t, start(t, "compact", s.Place(), spec))
		if d := statetest.Diff(before, statetest.Load(t, s)); d != "" {
			t.Errorf("%s: %s", spec, d)
		}
		statetest.Lock(t, s)
		if _, err := os.Stat(at(s).newFile()); err == nil {
			t.Errorf("%s: the next writer left the copy behind", spec)
		}
	}
}

func mustExit137(t *testing.T, p *process) {
	t.Helper()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 137 {
		t.Fatalf("the child ended with %v, want code 137", err)
	}
}
