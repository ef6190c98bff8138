package chain_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/state/internal/chain"
)

// TestRacingAppenders lets several append at once: one wins each slot, and the chain
// is what they were told.
func TestRacingAppenders(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		var mu sync.Mutex
		var won []string
		var g sync.WaitGroup
		for w := range 6 {
			g.Go(func() {
				r := &reader{c: p.chain(t, chain.Options{})}
				for i := 0; i < 8; {
					if _, err := r.load(ctx); err != nil {
						t.Error(err)
						return
					}
					payload := fmt.Sprintf("%d.%d", w, i)
					rec := next(r.s.At, payload)
					out, other, err := r.c.Append(ctx, rec, nil)
					switch {
					case err != nil || out == chain.Unknown:
						t.Errorf("%v, %v", out, err)
						return
					case out == chain.Refused && (other == nil || other.Serial != rec.Serial || other.Digest() == rec.Digest()):
						t.Errorf("refused because of %+v", other)
					case out == chain.Done:
						mu.Lock()
						won = append(won, fmt.Sprintf("%020d %s", rec.Serial, payload))
						mu.Unlock()
						i++
					}
				}
			})
		}
		g.Wait()
		sort.Strings(won)
		for i, w := range won {
			serial, payload, _ := strings.Cut(w, " ")
			if serial != fmt.Sprintf("%020d", i+1) {
				t.Fatalf("records that won: %q", won)
			}
			won[i] = payload
		}
		wantState(t, p.chain(t, chain.Options{}), won)
	})
}

// TestFaultsWhileAppending lets requests for log entries fail in each way. The record
// is appended once, and never taken for somebody else's.
func TestFaultsWhileAppending(t *testing.T) {
	srv := s3test.Start(t)
	for _, f := range append(s3test.AllFaults(), "409 ConditionalRequestConflict") {
		for times := 1; times <= 5; times += 2 { // within the store's attempts, and beyond
			t.Run(fmt.Sprint(f, " ", times), func(t *testing.T) {
				t.Parallel()
				gate := s3test.NewGate(t, srv.Endpoint)
				left := times
				gate.Rule(func(_ int, r *http.Request) s3test.Fault {
					if left > 0 && isCreate(r) {
						left--
						return f
					}
					return s3test.NoFault
				})
				p := onS3(t, srv, func(o *s3blob.Options) {
					o.Endpoint, o.Idle = gate.Endpoint, 30*time.Second
					if f == s3test.Hangs || f == s3test.LateAnswer {
						o.Idle = time.Second / 2
					}
				})
				r := &reader{c: p.chain(t, chain.Options{})}
				r.append(t, "a")
				gate.Rule(nil)
				r.append(t, "b")
				wantState(t, r.c, []string{"a", "b"})
			})
		}
	}
}

// TestAnsweredAfterTheLease lets a create be answered when the lease has ended
// meanwhile: the chain decides.
func TestAnsweredAfterTheLease(t *testing.T) {
	srv := s3test.Start(t)
	for name, c := range map[string]struct {
		before  func(t *testing.T, w *reader) // the create reaches the server
		after   func(t *testing.T, w *reader) // it has reached it
		want    chain.Outcome
		payload []string
	}{
		"it stands":                 {nil, nil, chain.Done, []string{"p1", "mine"}},
		"others went on from it":    {nil, func(t *testing.T, w *reader) { w.append(t, "p3") }, chain.Done, []string{"p1", "mine", "p3"}},
		"a checkpoint stands on it": {nil, func(t *testing.T, w *reader) { w.checkpoint(t) }, chain.Done, []string{"p1", "mine"}},
		"a checkpoint stands above": {nil, func(t *testing.T, w *reader) {
			w.append(t, "p3")
			w.checkpoint(t)
		}, chain.Unknown, []string{"p1", "mine", "p3"}},
		"another was first": {func(t *testing.T, w *reader) { w.append(t, "fence") }, nil, chain.Refused, []string{"p1", "fence"}},
		"another was first, with a checkpoint": {func(t *testing.T, w *reader) {
			w.append(t, "fence")
			w.checkpoint(t)
		}, nil, chain.Refused, []string{"p1", "fence"}},
		"another was first, long ago": {func(t *testing.T, w *reader) {
			w.append(t, "fence")
			w.checkpoint(t)
			w.append(t, "p3")
			w.checkpoint(t)
		}, nil, chain.Unknown, []string{"p1", "fence", "p3"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := onS3(t, srv, nil)
			w := &reader{c: p.chain(t, chain.Options{})}
			w.append(t, "p1")
			valid := true
			act := func(f func(*testing.T, *reader)) {
				if f == nil {
					return
				}
				if _, err := w.load(ctx); err != nil {
					t.Error(err)
				}
				f(t, w)
			}
			mine := p.over(t, func(n aws.HTTPClient, r *http.Request) (*http.Response, error) {
				if !isCreate(r) {
					return n.Do(r)
				}
				act(c.before)
				resp, err := n.Do(r)
				valid = false
				act(c.after)
				return resp, err
			}).chain(t, chain.Options{})
			out, _, err := mine.Append(ctx, next(w.s.At, "mine"), func() bool { return valid })
			if out != c.want || (err != nil) != (c.want == chain.Unknown) {
				t.Errorf("%v, %v, want %v", out, err, c.want)
			}
			wantState(t, w.c, c.payload)
		})
	}
}

// TestContextEndsWhileSent cancels the context, as a lost lease does, with the record
// at the server and its answer on the way.
func TestContextEndsWhileSent(t *testing.T) {
	cctx, cancel := context.WithCancel(ctx)
	p := onS3(t, s3test.Start(t), nil).over(t, func(n aws.HTTPClient, r *http.Request) (*http.Response, error) {
		resp, err := n.Do(r)
		if isCreate(r) {
			resp.Body.Close()
			cancel()
			return nil, context.Canceled
		}
		return resp, err
	})
	c := p.chain(t, chain.Options{})
	out, _, err := c.Append(cctx, next(chain.Position{}, "a"), nil)
	if out != chain.Done || err != nil {
		t.Errorf("%v, %v", out, err)
	}
	out, _, err = c.Append(cctx, next(chain.Position{}, "b"), nil)
	if out != chain.Refused || !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that had ended: %v, %v", out, err)
	}
}

// TestRefusedForGood: an answer that refuses the only request decides; the same one
// after an attempt of which nothing is known does not.
func TestRefusedForGood(t *testing.T) {
	srv := s3test.Start(t)
	for name, c := range map[string]struct {
		faults []s3test.Fault
		want   chain.Outcome
	}{
		"at once":         {[]s3test.Fault{s3test.Denied}, chain.Refused},
		"after a silence": {[]s3test.Fault{s3test.CutRequest, s3test.Denied}, chain.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			gate := s3test.NewGate(t, srv.Endpoint)
			n := 0
			gate.Rule(func(_ int, r *http.Request) s3test.Fault {
				if !isCreate(r) {
					return s3test.NoFault
				}
				n++
				return c.faults[min(n, len(c.faults))-1]
			})
			p := onS3(t, srv, func(o *s3blob.Options) { o.Endpoint = gate.Endpoint })
			out, _, err := p.chain(t, chain.Options{}).Append(ctx, next(chain.Position{}, "a"), nil)
			if out != c.want || err == nil {
				t.Errorf("%v, %v", out, err)
			}
		})
	}
}

// TestStoreWithoutConditions is refused before anything is sent.
func TestStoreWithoutConditions(t *testing.T) {
	backend := s3mem.New()
	srv := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.StdLog(log.New(io.Discard, "", 0)))).Server())
	defer srv.Close()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	o := s3blob.Options{Bucket: "bucket", Endpoint: srv.URL, Region: "us-east-1", ForcePathStyle: true, Retry: quick,
		Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
	creates := 0
	c := place{options: o}.over(t, func(n aws.HTTPClient, r *http.Request) (*http.Response, error) {
		if isCreate(r) {
			creates++
		}
		r.Header.Del("If-None-Match")
		r.Header.Del("If-Match")
		return n.Do(r)
	}).chain(t, chain.Options{})
	if err := c.Try(ctx); !errors.Is(err, blob.ErrUnsupported) {
		t.Error(err)
	}
	out, _, err := c.Append(ctx, next(chain.Position{}, "a"), nil)
	if out != chain.Refused || !errors.Is(err, blob.ErrUnsupported) || creates > 0 {
		t.Errorf("%v, %v, %d requests", out, err, creates)
	}
}

// TestTryLeavesNothing behind, and finds that all is well.
func TestTryLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		if err := p.chain(t, chain.Options{}).Try(ctx); err != nil {
			t.Fatal(err)
		}
		if list, err := p.store.List(ctx, ""); err == nil && len(list) > 0 {
			t.Error(list)
		}
	})
}

// TestLargePayloads become objects.
func TestLargePayloads(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		r := &reader{c: p.chain(t, chain.Options{})}
		large := strings.Repeat("0123456789abcdef", 3<<20/16)
		r.append(t, "a", large, "b", strings.Repeat("x", 900<<10))
		if n := len(p.names(t, "objects")); n != 1 {
			t.Errorf("%d objects", n)
		}
		wantState(t, r.c, r.s.Payloads)
	})
}
