package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"reconcile/engine/enginetest"
	"reconcile/engine/model"
	"reconcile/engine/states"
	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/internal/errclass"
	"reconcile/sinks"
	"reconcile/state"
	"reconcile/state/remote"
)

var (
	flagLate   = flag.Int("late", 1, "requests of each kind that are carried out after a take-over")
	flagPauses = flag.Int("pauses", 12, "requests of an apply between which its machine stands still, 0 for all")
)

// jumpClock is a machine's clock, which jumps when the machine stands still. Waiting takes
// no time to speak of.
type jumpClock struct {
	mu     sync.Mutex
	start  time.Time
	jumped time.Duration
}

func (c *jumpClock) Now() remote.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	return remote.Instant{Mono: now.Sub(c.start) + c.jumped, Wall: now.Round(0).Add(c.jumped)}
}

func (c *jumpClock) After(d time.Duration) <-chan time.Time {
	return time.After(min(d, 5*time.Millisecond))
}

func (c *jumpClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jumped += d
}

// forgetful is a server that keeps no condition on copies, completed uploads and removals.
type forgetful struct {
	next   aws.HTTPClient
	server *s3test.Server
}

func (f forgetful) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodDelete || r.Method == http.MethodPost || r.Header.Get("X-Amz-Copy-Source") != "" {
		r.Header.Del("If-Match")
		r.Header.Del("If-None-Match")
		creds, err := f.server.Credentials().Retrieve(r.Context())
		if err == nil {
			err = v4.NewSigner().SignHTTP(r.Context(), creds, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", f.server.Region, time.Now(),
				func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		}
		if err != nil {
			return nil, err
		}
	}
	return f.next.Do(r)
}

// lateBed has export, lake and state on one server, which keeps no condition that it need
// not. One machine reaches it through a gate, all others directly.
type lateBed struct {
	*harness
	server *s3test.Server
	gate   *s3test.Gate
	clock  *jumpClock
	base   []*model.Dump // applied before each play
	parts  bool          // copies are made by uploads
}

const lateConfig = `
table "*" {
  sinks = [sink.parquet.lake]
  partition_by = [year(time), month(time), day(time)]
}
table "users" { sinks = [sink.parquet.lake] }
`

// lateDump is the n-th of a stream of dumps each of which replaces files of every table,
// makes a partition and takes one away.
func lateDump(n int64) *model.Dump {
	return &model.Dump{ID: n, Entries: []model.Entry{
		killEvents(n, "pageviews", "event_id", true, [][]any{
			killEvent(1, int64(1), 1, fmt.Sprint("/", n)), killEvent(2, int64(2), 2, fmt.Sprint("/", n)), killEvent(3, int64(3), int(10+n%2), "/moves"), killEvent(100+n, n%5, 3, "/new"),
		}),
		killUsers(n, true, killUser(1, 2, fmt.Sprint("plan ", n)), killUser(n%5, 3, "pro")),
		killMapping(n, [2]int64{2, 1}, [2]int64{4, n % 2}),
	}}
}

func newLateBed(t *testing.T, s *s3test.Server, parts bool) *lateBed {
	b := &lateBed{harness: newHarness(t, lateConfig), server: s, gate: s3test.NewGate(t, s.Endpoint), parts: parts}
	newBucketPair(t, s).place(b.harness)
	stateInBucket(t, b.harness, s, s.Endpoint)
	b.tuning = Tuning{GroupRows: 4, Settle: 1, FingerprintFrom: 1, Inline: -1, Lease: states.Lease{Day: 1}}
	b.tuning.S3 = func(o *s3blob.Options) {
		o.Retry, o.Credentials = blob.Retry{Attempts: 4, Wait: time.Millisecond}, s.Credentials()
		o.WrapTransport = func(next aws.HTTPClient) aws.HTTPClient { return forgetful{next, s} }
		if b.parts {
			o.CopyLimit = 1
		}
	}
	for n := range int64(3) {
		b.arrive(lateDump(n + 1))
		if _, err := b.apply(); err != nil {
			t.Fatal(err)
		}
	}
	b.check()
	b.base = b.arrived
	hour := time.Now().Add(-time.Hour)
	for _, f := range killFiles(b.away.dir) { // so that there is something to collect
		if err := os.Chtimes(f, hour, hour); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range b.saved() {
		killClone(t, from, to)
	}
	return b
}

func (b *lateBed) saved() map[string]string {
	return map[string]string{b.lake(): filepath.Join(b.dir, "saved", "lake"), b.away.dir: filepath.Join(b.dir, "saved", "state")}
}

// restore puts back what was there before, and lets a dump arrive.
func (b *lateBed) restore() {
	b.t.Helper()
	for to, from := range b.saved() {
		killClone(b.t, from, to)
	}
	b.remote.abortAll(b.t)
	if err := os.RemoveAll(filepath.Join(b.dir, "dumps")); err != nil {
		b.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "dumps", "manifests"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	b.arrived, b.named = nil, map[sinks.Place]bool{}
	b.arrive(b.base...)
	b.next()
	b.gate.Rule(nil)
	b.clock = &jumpClock{start: time.Now()}
}

// next lets the next dump arrive.
func (b *lateBed) next() {
	b.t.Helper()
	b.arrive(lateDump(int64(len(b.arrived)) + 1))
	b.remote.upload(b.t, filepath.Join(b.dir, "dumps"))
}

// first is an engine of the machine behind the gate.
func (b *lateBed) first() *Engine {
	b.t.Helper()
	direct, block := b.prelude, b.away.block
	b.prelude = strings.ReplaceAll(direct, b.server.Endpoint, b.gate.Endpoint)
	b.away.block = strings.ReplaceAll(block, b.server.Endpoint, b.gate.Endpoint)
	b.tuning.Lease.Clock = b.clock
	e := b.engine()
	b.tuning.Lease.Clock = nil
	b.prelude, b.away.block = direct, block
	return e
}

// begin applies on the machine behind the gate.
func (b *lateBed) begin(ctx context.Context) <-chan error {
	b.t.Helper()
	e, ended := b.first(), make(chan error, 1)
	go func() {
		_, err := enginetest.Apply(ctx, e)
		ended <- err
	}()
	return ended
}

// others commit more dumps, each on a machine of its own.
func (b *lateBed) others(commits int) {
	b.t.Helper()
	for range commits {
		if _, err := b.apply(); err != nil {
			b.t.Fatal(err)
		}
		b.check()
		b.next()
	}
	if _, err := b.apply(); err != nil {
		b.t.Fatal(err)
	}
	b.check()
}

// right checks that tables, current.json and state are right as they are, and that nothing
// is left to do.
func (b *lateBed) right(what string) {
	b.t.Helper()
	b.check()
	p, err := b.engine().Plan(b.t.Context())
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	defer p.Close()
	for _, t := range p.Tables {
		if len(t.Drift) > 0 {
			b.t.Fatalf("%s: table %s drifted: %v", what, t.Name, t.Drift)
		}
	}
	if p.Changes() || len(p.Holds) > 0 {
		b.t.Fatalf("%s: there is something to do: %+v", what, p)
	}
	snap, err := b.engine().store.Load(b.t.Context())
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	defer snap.Close()
	e := b.engine()
	for _, root := range e.lake.Roots() {
		says, err := e.lake.Head(b.t.Context(), root)
		if err != nil {
			b.t.Fatalf("%s: %v", what, err)
		}
		for name, t := range snap.Tables {
			if entry := says.Current.Tables[name]; entry.Commit != t.Commit || !entry.Complete {
				b.t.Fatalf("%s: current.json says %+v of table %s, the state is at %d", what, entry, name, t.Commit)
			}
		}
	}
	if _, err := b.apply(); err != nil { // removes what was staged late
		b.t.Fatalf("%s: %v", what, err)
	}
	b.checkIdle()
}

// await waits for the end of an apply.
func await(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(2 * time.Minute):
		t.Fatal("the apply does not end")
		return nil
	}
}

// reach waits for a request of an apply.
func reach(t *testing.T, h *s3test.Held, ended <-chan error) {
	t.Helper()
	select {
	case <-h.Reached():
	case err := <-ended:
		t.Fatalf("it ended before the request came: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the request does not come")
	}
}

// lateKinds are the requests that may be carried out late.
var lateKinds = []struct {
	name string
	pick func(r *http.Request) bool
}{
	{"lease", puts("/state/lease")},
	{"record", puts("/state/log/")},
	{"object", puts("/state/objects/")},
	{"checkpoint", puts("/state/checkpoints/")},
	{"current.json", puts("/_reconcile/current.json")},
	{"staged file", puts("/_reconcile/staging/")},
	{"move", isMove},
	{"CompleteMultipartUpload", func(r *http.Request) bool {
		return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && strings.HasSuffix(r.URL.Path, ".parquet")
	}},
	{"removal", func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, ".parquet")
	}},
	{"removal of what was staged", func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/_reconcile/staging/")
	}},
	{"removal from the state", func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/state/") && !strings.Contains(r.URL.Path, "/_reconcile/")
	}},
}

func puts(part string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") == "" && strings.Contains(r.URL.Path, part)
	}
}

// TestLateRequests holds one request of an apply back, past the take-over by another
// machine and two more commits, and then lets the server carry it out: everything stays
// right. The machine that sent it is dead, or sent it again and went on.
func TestLateRequests(t *testing.T) {
	s := s3test.Start(t)
	s.Setenv(t)
	for i, kind := range lateKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			b := newLateBed(t, s, kind.name == "CompleteMultipartUpload")
			b.restore()
			if err := await(t, b.begin(t.Context())); err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, q := range b.gate.Seen() {
				if kind.pick(q.Copy()) {
					total++
				}
			}
			if total == 0 {
				t.Fatal("there is no such request")
			}
			for range *flagLate {
				for _, then := range []s3test.Then{s3test.Dead, s3test.Repeat} {
					b.restore()
					b.late(1+r.Intn(total), then, kind.pick)
				}
			}
		})
	}
}

// late plays one delayed request.
func (b *lateBed) late(n int, then s3test.Then, pick func(*http.Request) bool) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	held := b.gate.Hold(n, then, pick)
	ended := b.begin(ctx)
	var err error
	select {
	case <-held.Reached():
		if then == s3test.Dead {
			b.clock.jump(5 * time.Minute)
			cancel()
		}
		err = await(b.t, ended)
	case err = <-ended:
		b.t.Fatalf("request %d did not come: %v", n, err)
	}
	if then == s3test.Repeat && err != nil {
		b.t.Fatalf("request %d was sent again, and yet: %v", n, err)
	}
	b.others(2)
	status, body := held.Send(b.t)
	what := fmt.Sprintf("%s %s, number %d, after %v: %d %s", held.Request().Method, held.Request().URL, n, err, status, body)
	b.t.Log(what)
	b.gate.Rule(nil)
	b.right(what)
}

// TestPausedHolder lets a machine stand still before a request, for so long that another
// one takes over, finishes its work and applies more. Then the first one goes on. It finds
// out that it lost its lease, and everything is right.
func TestPausedHolder(t *testing.T) {
	s := s3test.Start(t)
	s.Setenv(t)
	b := newLateBed(t, s, false)
	b.restore()
	if err := await(t, b.begin(t.Context())); err != nil {
		t.Fatal(err)
	}
	total := len(b.gate.Seen())
	records := len(killFiles(filepath.Join(b.away.dir, "log")))
	step, first := 1, 1
	if *flagPauses > 0 {
		step = max(1, total / *flagPauses)
		first = 1 + int(*flagKillSeed*7)%step
	}
	for n := first; n <= total; n += step {
		b.restore()
		b.pause(n, records)
	}
}

func (b *lateBed) pause(n, records int) {
	b.t.Helper()
	held := b.gate.Hold(n, s3test.Wait, func(*http.Request) bool { return true })
	ended := b.begin(b.t.Context())
	select {
	case <-held.Reached():
	case err := <-ended: // requests that are sent at once vary in number
		b.t.Logf("request %d did not come: %v", n, err)
		held.Go()
		return
	}
	lease, err := os.ReadFile(filepath.Join(b.away.dir, "lease"))
	if err != nil {
		b.t.Fatal(err)
	}
	what := fmt.Sprintf("%d: %s %s", n, held.Request().Method, held.Request().URL)
	holds := strings.Contains(string(lease), `"state":"held"`)
	done := len(killFiles(filepath.Join(b.away.dir, "log"))) >= records
	b.others(2)
	b.clock.jump(5 * time.Minute)
	held.Go()
	err = await(b.t, ended)
	b.t.Logf("%s: %v", what, err)
	if lost := errclass.Of(err) == errclass.LeaseLost || errors.Is(err, state.ErrUnknownOutcome) || errors.Is(err, state.ErrLocked); !lost && (err != nil || holds && !done) {
		b.t.Fatalf("%s: it ended with %v", what, err)
	}
	b.right(what)
}

// TestTakeOverEndsBeforeItsFence: a machine dies while the record of a commit is on its
// way. Another one takes over and is told to end before it has written its fence: then it
// leaves the lease as it is, so that the next one writes the fence. The late record changes
// nothing.
func TestTakeOverEndsBeforeItsFence(t *testing.T) {
	s := s3test.Start(t)
	s.Setenv(t)
	b := newLateBed(t, s, false)
	b.restore()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	record := b.gate.Hold(2, s3test.Dead, puts("/state/log/"))
	ended := b.begin(ctx)
	reach(t, record, ended)
	b.clock.jump(5 * time.Minute)
	cancel()
	if err := await(t, ended); !errors.Is(err, state.ErrUnknownOutcome) {
		t.Fatalf("the first one ended with %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	b.gate, b.clock = s3test.NewGate(t, s.Endpoint), &jumpClock{start: time.Now()}
	taken := false
	head := b.gate.Hold(1, s3test.Wait, func(r *http.Request) bool {
		taken = taken || puts("/state/lease")(r)
		return taken && r.Method == http.MethodGet
	})
	b.away.expire(t)
	ended = b.begin(ctx)
	reach(t, head, ended)
	cancel()
	err := await(t, ended)
	head.Go()
	if err == nil {
		t.Fatal("the second one did not end")
	}
	lease, err := os.ReadFile(filepath.Join(b.away.dir, "lease"))
	if err != nil || !strings.Contains(string(lease), `"state":"held"`) || !strings.Contains(string(lease), `"fence_owed":true`) {
		t.Fatalf("%v, the lease is %s", err, lease)
	}
	b.others(1)
	status, _ := record.Send(t)
	b.right(fmt.Sprintf("the late record: %d", status))
}

// TestDeathBeforeTheSweep: a copy is on its way a second time while its machine dies
// between the copy, or the end of publishing, and the sweep. No commit of the table follows
// before what the copy is made from is gone.
func TestDeathBeforeTheSweep(t *testing.T) {
	s := s3test.Start(t)
	s.Setenv(t)
	b := newLateBed(t, s, false)
	gate := b.gate
	for name, dies := range map[string]func(r, copied *http.Request) bool{
		"before what was copied is removed": func(r, copied *http.Request) bool {
			return r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/"+path.Base(copied.Header.Get("X-Amz-Copy-Source")))
		},
		"before the sweep": func(r, _ *http.Request) bool { return r.URL.Query().Has("list-type") },
	} {
		t.Run(name, func(t *testing.T) {
			b.t, b.gate = t, gate
			b.restore()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			move := gate.Hold(1, s3test.Repeat, isMove)
			b.gate = s3test.NewGate(t, gate.Endpoint)
			death := b.gate.Hold(1, s3test.Dead, func(r *http.Request) bool {
				select {
				case <-move.Reached():
					return strings.Contains(r.URL.String(), "staging") && dies(r, move.Request())
				default:
					return false
				}
			})
			ended := b.begin(ctx)
			reach(t, death, ended)
			b.clock.jump(5 * time.Minute)
			cancel()
			if err := await(t, ended); err == nil {
				t.Fatal("it did not die")
			}
			b.others(2)
			status, body := move.Send(t)
			b.right(fmt.Sprintf("the late copy: %d %s", status, body))
		})
	}
}

// isMove picks the copies that make files visible.
func isMove(r *http.Request) bool {
	return r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "" && !r.URL.Query().Has("uploadId") && !strings.Contains(r.URL.Path, "/_reconcile/")
}
