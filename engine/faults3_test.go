package engine

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

var flagFaultsS3 = flag.Int("faults-s3", 1, "requests of each case that fail in each way, 0 for all, one after another")

// faultBed plays a case from bucket to bucket through a gate.
type faultBed struct {
	*killBed
	attempts int // of requests while one of them fails
	broken   bool
	hangs    bool
}

func newFaultBed(t *testing.T, s *s3test.Server, c killCase, attempts int) *faultBed {
	pair := newBucketPair(t, s)
	pair.gate = s3test.NewGate(t, s.Endpoint)
	b := &faultBed{attempts: attempts}
	c.tuning.S3 = func(o *s3blob.Options) {
		o.Retry, o.Idle = blob.Retry{Attempts: 4, Wait: time.Millisecond}, 10*time.Second
		if b.broken {
			o.Retry.Attempts = b.attempts
		}
		if b.broken && b.hangs {
			o.Idle = time.Second / 2
		}
	}
	b.killBed = newKillBed(t, c, pair)
	return b
}

// applyWith applies while the n-th request fails.
func (b *faultBed) applyWith(n int, f s3test.Fault) (*Result, error) {
	b.broken, b.hangs = true, f == s3test.Hangs || f == s3test.LateAnswer
	b.remote.gate.At(n, f)
	res, err := b.apply()
	b.broken = false
	return res, err
}

// TestFaultsOnS3 lets the N-th request of an apply from bucket to bucket fail
// for good, for N = 1, 2, 3 and so on, in every way. The apply ends with exact
// tables or with an error that says where; what readers see is not misleading
// in between, and the next apply ends where an undisturbed one does.
func TestFaultsOnS3(t *testing.T) {
	s := s3test.Start(t)
	s.Setenv(t)
	for _, c := range killCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newFaultBed(t, s, c, 1)
			b.eachFault(func(n int, f s3test.Fault) {
				b.restore()
				res, err := b.applyWith(n, f)
				struck := b.remote.gate.Struck() > 0
				b.remote.gate.Rule(nil)
				if err == nil && !res.Partial() {
					b.checkDone()
					return
				}
				if !struck && !b.hangs { // a busy machine can be silent by itself
					b.t.Fatalf("no request failed, and yet: %v, %+v", err, res)
				}
				b.checkExplained(err, res)
				b.checkBroken()
				b.heal()
			})
		})
	}
}

// eachFault calls play for every way to fail and, as far as the flag says, for
// every request.
func (b *faultBed) eachFault(play func(n int, f s3test.Fault)) {
	b.t.Helper()
	b.restore()
	b.remote.gate.Rule(nil)
	if _, err := b.apply(); err != nil {
		b.t.Fatal(err)
	}
	total := len(b.remote.gate.Seen())
	b.checkDone()
	t := b.t
	defer func() { b.t = t }()
	for k, f := range s3test.AllFaults() {
		step, first := 1, 1
		if *flagFaultsS3 > 0 {
			step = max(1, total / *flagFaultsS3)
			first = 1 + (k*step/len(s3test.AllFaults())+7*int(*flagKillSeed))%step
		}
		for n := first; n <= total+1; n += step {
			if !t.Run(fmt.Sprintf("%s at %d", f, n), func(t *testing.T) {
				b.t = t
				play(n, f)
			}) {
				return
			}
		}
	}
}

// checkExplained wants an error, and every hold, to name a place on S3 and not
// to take a fault of the network for something that is not there.
func (b *killBed) checkExplained(err error, res *Result) {
	b.t.Helper()
	var texts []string
	if err != nil {
		texts = append(texts, err.Error())
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, blob.ErrConflict) {
			b.t.Errorf("the network is blamed on the content: %v", err)
		}
	}
	if res != nil {
		for _, h := range res.Holds {
			texts = append(texts, h.Reason)
		}
		for _, x := range res.Tables {
			if x.Err != nil {
				texts = append(texts, x.Err.Error())
			}
		}
	}
	for _, text := range texts {
		if !strings.Contains(text, "s3://") {
			b.t.Errorf("this does not say where: %s", text)
		}
	}
	b.t.Logf("%q", texts)
}

// TestFaultsAreOvercomeOnS3 does the same with the retries of every day: one
// request that fails is no event at all.
func TestFaultsAreOvercomeOnS3(t *testing.T) {
	s := s3test.Start(t)
	s.Setenv(t)
	for i, c := range killCases() {
		if i%5 != 1 && *flagFaultsS3 == 1 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newFaultBed(t, s, c, 3)
			b.eachFault(func(n int, f s3test.Fault) {
				b.restore()
				res, err := b.applyWith(n, f)
				b.remote.gate.Rule(nil)
				if err != nil || res.Partial() {
					b.t.Fatalf("%v, %+v", err, res)
				}
				b.checkDone()
			})
		})
	}
}
