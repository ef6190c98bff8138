package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"reconcile/engine/enginetest"
	"reconcile/engine/model"
	"reconcile/engine/states"
	"reconcile/internal/blob/s3test"
	"reconcile/state"
)

var flagAwayRaces = flag.Int("awayraces", 50, "rounds in which two machines apply to one state in an object store")

// TestRaceOfTwoMachines lets two machines with caches of their own apply at once, again
// and again. One of them does it; the other one is told who has the lease, or waits and
// finds nothing left to do. A fifth of the rounds is on S3.
func TestRaceOfTwoMachines(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, killConfig)
		stateInFolder(h)
		h.race(*flagAwayRaces - *flagAwayRaces/5)
	})
	t.Run("s3", func(t *testing.T) {
		s := s3test.Start(t)
		s.Setenv(t)
		h := newHarness(t, killConfig)
		newBucketPair(t, s).place(h)
		stateInBucket(t, h, s, s.Endpoint)
		h.race(*flagAwayRaces / 5)
	})
}

// raceDump is the n-th of a stream of dumps that change every table.
func raceDump(n int64) *model.Dump {
	return &model.Dump{ID: n, Entries: []model.Entry{
		killEvents(n, "pageviews", "event_id", true, [][]any{killEvent(n, n%5, int(1+n%3), "/a"), killEvent(n/2, n%3, int(1+n%4), fmt.Sprint(n))}),
		killUsers(n, true, killUser(n%4, int(1+n%20), fmt.Sprint("plan ", n))),
		killMapping(n, [2]int64{2, n % 2}, [2]int64{4, 3}),
	}}
}

func (h *harness) race(rounds int) {
	h.t.Helper()
	h.tuning = Tuning{GroupRows: 4, Settle: 1, FingerprintFrom: 1, Inline: -1, Lease: states.Lease{Day: 1, TTL: 15 * time.Second}}
	won, locked, waited := 0, 0, 0
	for n := range rounds {
		h.arrive(raceDump(int64(n + 1)))
		h.remote.upload(h.t, filepath.Join(h.dir, "dumps"))
		if h.opts.LockTimeout = 0; n%2 == 1 {
			h.opts.LockTimeout = time.Minute
		}
		ends := make(chan error, 2)
		for _, e := range []*Engine{h.engine(), h.engine()} {
			go func() {
				_, err := enginetest.Apply(context.Background(), e)
				ends <- err
			}()
		}
		for range 2 {
			err := <-ends
			switch {
			case err == nil && n%2 == 1:
				waited++
			case err == nil:
				won++
			case errors.Is(err, state.ErrLocked) && n%2 == 0:
				locked++
			default:
				h.t.Fatalf("round %d: %v", n, err)
			}
		}
		h.check()
	}
	h.checkIdle()
	h.t.Logf("of those that asked once %d applied and %d were locked out, %d waited or not", won, locked, waited)
	if locked == 0 && rounds > 8 {
		h.t.Error("nobody met another one")
	}
}
