package chain_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/internal/blob/s3test"
	"reconcile/state/internal/chain"
)

// delayer holds back the first request that it picks, and lets its sender see a
// connection that broke; with silent the others that it picks break, too.
type delayer struct {
	mu     sync.Mutex
	picks  func(r *http.Request) bool
	first  *hold
	silent bool
}

func (d *delayer) do(next aws.HTTPClient, r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if (d.first == nil || d.silent) && d.picks(r) {
		h, err := held(r)
		if d.first == nil && err == nil {
			d.first = h
		}
		return nil, io.ErrUnexpectedEOF
	}
	return next.Do(r)
}

// TestDelayedCreate lets a create reach the server after its lease ended, at once or
// after others went on: nobody is told a thing that turns out wrong.
func TestDelayedCreate(t *testing.T) {
	srv := s3test.Start(t)
	type world struct {
		p     place
		slow  *reader
		other *reader
		late  *hold
	}
	begin := func(t *testing.T) world {
		d := &delayer{silent: true, picks: isCreate}
		p := onS3(t, srv, nil)
		w := world{p: p, other: &reader{c: p.chain(t, chain.Options{Day: time.Hour})}}
		w.other.append(t, "p1", "p2")
		w.other.checkpoint(t)
		w.slow = &reader{c: p.over(t, d.do).chain(t, chain.Options{})}
		if _, err := w.slow.load(ctx); err != nil {
			t.Fatal(err)
		}
		calls := 0
		rec := next(w.slow.s.At, "late")
		out, _, err := w.slow.c.Append(ctx, rec, func() bool { calls++; return calls < 4 })
		if out != chain.Unknown || err == nil {
			t.Fatalf("%v, %v", out, err)
		}
		w.late = d.first
		return w
	}
	t.Run("nobody went on", func(t *testing.T) {
		w := begin(t)
		if code := w.late.release(t); code != 200 {
			t.Fatal(code)
		}
		wantState(t, w.other.c, []string{"p1", "p2", "late"})
	})
	t.Run("another has the slot", func(t *testing.T) {
		w := begin(t)
		w.other.append(t, "fence", "p4")
		if code := w.late.release(t); code != 412 {
			t.Fatal(code)
		}
		wantState(t, w.other.c, []string{"p1", "p2", "fence", "p4"})
	})
	t.Run("the slot was collected", func(t *testing.T) {
		w := begin(t)
		w.other.append(t, "fence", "p4")
		w.other.checkpoint(t)
		w.other.append(t, "p5")
		w.other.checkpoint(t)
		w.p.age(t, "checkpoints")
		if got := collect(t, w.other, nil); got.Removed != 5 { // 4 entries, a checkpoint
			t.Fatalf("%+v", got)
		}
		if code := w.late.release(t); code != 200 {
			t.Fatal(code)
		}
		want := []string{"p1", "p2", "fence", "p4", "p5"}
		wantState(t, w.other.c, want)
		// The slow one still stands before it, and it even links.
		if l, err := w.slow.load(ctx); err != nil || l.Cached || !slices.Equal(w.slow.s.Payloads, want) {
			t.Errorf("%+v, %v: %q", l, err, w.slow.s.Payloads)
		}
		w.other.append(t, "p6")
		w.other.checkpoint(t)
		w.p.age(t, "checkpoints")
		collect(t, w.other, nil)
		if got := w.p.names(t, "log"); len(got) != 1 {
			t.Errorf("the stray was not collected: %q", got)
		}
	})
}

// TestDelayedRequests lets one request of each kind reach the server a second time,
// after others went on and collected: the state is right.
func TestDelayedRequests(t *testing.T) {
	srv := s3test.Start(t)
	picks := func(method, folder, header string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			return r.Method == method && strings.Contains(r.URL.Path, "/"+folder+"/") && (header == "" || r.Header.Get(header) != "")
		}
	}
	for name, pick := range map[string]func(*http.Request) bool{
		"record": picks("PUT", "log", "If-None-Match"), "stub": picks("PUT", "log", "If-Match"), "checkpoint": picks("PUT", "checkpoints", ""),
		"object": picks("PUT", "objects", ""), "removal of an entry": picks("DELETE", "log", ""),
		"removal of a checkpoint": picks("DELETE", "checkpoints", ""), "removal of an object": picks("DELETE", "objects", ""),
	} {
		t.Run(name, func(t *testing.T) {
			d := &delayer{picks: pick}
			p := onS3(t, srv, nil)
			w := &reader{c: p.over(t, d.do).chain(t, chain.Options{})}
			turn := func(payloads ...string) {
				w.append(t, payloads...)
				w.checkpoint(t)
				p.age(t, "checkpoints")
				collect(t, w, nil)
			}
			large := strings.Repeat("large", 1<<18)
			turn("p1", "p2")
			cache := w.s
			turn(large, "p4")
			turn("p5")
			if _, err := w.c.Expunge(ctx, collection(w, nil), 1); err != nil {
				t.Fatal(err)
			}
			turn("p6", "p7")
			turn("p8")
			if d.first == nil {
				t.Fatal("there was no such request")
			}
			w.append(t, "p9", large)
			d.first.release(t)
			want := []string{"p1", "p2", large, "p4", "p5", "p6", "p7", "p8", "p9", large}
			wantState(t, w.c, want)
			r := &reader{c: w.c, s: cache}
			if mustLoad(t, r); !slices.Equal(r.s.Payloads, want) {
				t.Errorf("with a cache: %d records", len(r.s.Payloads))
			}
			turn("p11")
			turn("p12")
			wantState(t, w.c, append(want, "p11", "p12"))
			if n, k, o := len(p.names(t, "log")), len(p.names(t, "checkpoints")), len(p.names(t, "objects")); n != 1 || k != 2 || o != 0 {
				t.Errorf("%d entries, %d checkpoints and %d objects are left", n, k, o)
			}
		})
	}
}

// hands is a world in which a lease changes hands while records are on their way.
type hands struct {
	t      *testing.T
	p      place
	rng    *rand.Rand
	plain  *reader // who never loses the lease
	sure   []string
	held   []*hold
	told   map[string]chain.Outcome
	serial int
}

func (h *hands) payload(who string) string {
	h.serial++
	return fmt.Sprint(who, h.serial)
}

// network drops, delays or loses the answers of some creates.
func (h *hands) network(next aws.HTTPClient, r *http.Request) (*http.Response, error) {
	if !isCreate(r) {
		return next.Do(r)
	}
	switch h.rng.IntN(4) {
	case 0:
		d, err := held(r)
		if err == nil {
			h.held = append(h.held, d)
		}
	case 1:
		resp, err := next.Do(r)
		if err == nil {
			resp.Body.Close()
		}
	case 2:
	default:
		return next.Do(r)
	}
	return nil, io.ErrUnexpectedEOF
}

// late lets some of the delayed requests reach the server.
func (h *hands) late(all bool) {
	h.held = slices.DeleteFunc(h.held, func(d *hold) bool {
		if !all && h.rng.IntN(3) > 0 {
			return false
		}
		d.release(h.t)
		return true
	})
}

// turn is that of another holder, who takes over, goes on and perhaps collects.
func (h *hands) turn() {
	h.late(false)
	mustLoad(h.t, h.plain)
	for range 1 + h.rng.IntN(3) {
		s := h.payload("plain")
		h.plain.append(h.t, s)
		h.sure = append(h.sure, s)
	}
	for range h.rng.IntN(3) {
		h.plain.checkpoint(h.t)
		h.p.age(h.t, "checkpoints")
		collect(h.t, h.plain, nil)
		h.late(false)
	}
}

// slow is the turn of a holder whose lease ends after some steps.
func (h *hands) slow() {
	r := &reader{c: h.p.over(h.t, h.network).chain(h.t, chain.Options{})}
	mustLoad(h.t, r)
	steps, lost := h.rng.IntN(4), false
	s := h.payload("slow")
	out, _, _ := r.c.Append(ctx, next(r.s.At, s), func() bool {
		if steps--; steps < 0 && !lost {
			lost = true
			h.turn()
		}
		return !lost
	})
	h.told[s] = out
}

// TestLeaseChangesHands lets leases end in the middle of appends, over a network that
// delays requests and loses answers, with days that pass: what is said of a record
// stays true.
func TestLeaseChangesHands(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	p := onS3(t, s3test.Start(t), nil)
	h := &hands{t: t, p: p, rng: rand.New(rand.NewPCG(seed, 2)), plain: &reader{c: p.chain(t, chain.Options{Day: time.Hour})}, told: map[string]chain.Outcome{}}
	h.turn()
	for range 40 {
		h.slow()
	}
	h.late(true)
	mustLoad(t, h.plain)
	seen := map[chain.Outcome]int{}
	for s, out := range h.told {
		seen[out]++
		if on := slices.Contains(h.plain.s.Payloads, s); on && out == chain.Refused || !on && out == chain.Done {
			t.Errorf("%s was said to be %v; it is part of the chain: %v", s, out, on)
		}
	}
	if got := slices.DeleteFunc(slices.Clone(h.plain.s.Payloads), func(s string) bool { return strings.HasPrefix(s, "slow") }); !slices.Equal(got, h.sure) {
		t.Errorf("the others' records are %q, want %q", got, h.sure)
	}
	t.Log(seen)
	for _, out := range []chain.Outcome{chain.Done, chain.Refused, chain.Unknown} {
		if seen[out] == 0 {
			t.Errorf("nothing was %v", out)
		}
	}
}
