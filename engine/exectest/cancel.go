package exectest

import (
	"context"
	"math/rand"
	"slices"
	"testing"
	"time"

	"reconcile/engine/exec"
	"reconcile/internal/errclass"
)

const (
	cancels = 5           // of a task
	atOnce  = time.Second // within which a cancelled task ends
)

// playCancels ends tasks at random moments. They end within a second, and leave nothing
// but staged files and objects; what comes after them is as if they had not been.
func playCancels(t *testing.T, e exec.Executor, seen *coverage) {
	b := newBed(t, e, seen, tables)
	b.tuning.HashBits = 8
	b.arrive(dumpOf(1, full("e", events(0, 10_000))))
	b.cancelOne(rand.New(rand.NewSource(1)))
	b.must()
	b.arrive(dumpOf(2, more("e", events(5_000, 15_000)), more("user_migrations", part("from_user_id to_user_id", row(1, 2)))))
	b.cancelOne(rand.New(rand.NewSource(2)))
	b.must()
}

// cancelOne applies, and cancels the first task of the events several times, later and
// later. One that was nearly done may end as if nothing had been.
func (b *bed) cancelOne(r *rand.Rand) {
	b.t.Helper()
	var took time.Duration
	b.measured(b.t.Context(), func() {}, func(d time.Duration, _ error) { took = d })
	ended := 0
	for i := range cancels {
		wait := time.Duration(r.Int63n(int64(took)*int64(i+1)/(2*cancels) + 1))
		ctx, cancel := context.WithCancel(b.t.Context())
		var at time.Time
		b.measured(ctx, func() {
			at = time.Now().Add(wait)
			time.AfterFunc(wait, cancel)
		}, func(_ time.Duration, err error) {
			if late := time.Since(at); late > atOnce {
				b.t.Errorf("the task ended %v after it was cancelled", late)
			}
			switch class := errclass.Of(err); {
			case class == errclass.Cancelled:
				ended++
			case err != nil:
				b.t.Errorf("the task was cancelled after %v of %v, and failed with %v, of class %q", wait, took, err, class)
			}
		})
		cancel()
	}
	if ended == 0 {
		b.t.Errorf("the task, which takes %v, was cancelled %d times and went on each time", took, cancels)
	}
}

// measured applies up to the first task of the events, which is then given up. It calls
// begin before that, and end after it with what it took; nothing but what is staged may be
// another in between.
func (b *bed) measured(ctx context.Context, begin func(), end func(time.Duration, error)) {
	b.t.Helper()
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	met := false
	b.watch.between = func(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
		if t.Table != "e" {
			<-ctx.Done() // it is prefetched
			return nil, ctx.Err()
		}
		met = true
		before, began := b.published(), time.Now()
		begin()
		_, err := b.watch.inner.Execute(ctx, t, env)
		end(time.Since(began), err)
		if after := b.published(); !slices.Equal(before, after) {
			b.t.Errorf("a task that was given up wrote:\nbefore %q\nafter  %q", before, after)
		}
		giveUp()
		return nil, context.Canceled
	}
	defer func() { b.watch.between = nil }()
	if _, err := b.apply(ctx); err == nil || !met {
		b.t.Fatalf("the apply went on, met the table: %v, %v", met, err)
	}
}
