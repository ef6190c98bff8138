package remote

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// slowly counts requests, and lets each take some time.
type slowly struct {
	next  aws.HTTPClient
	takes time.Duration
	n     *atomic.Int64
}

func (s slowly) Do(r *http.Request) (*http.Response, error) {
	s.n.Add(1)
	time.Sleep(s.takes)
	return s.next.Do(r)
}

// manyOnS3 puts a state of 50 tables with 400 partitions each on a server. Each call of
// what it returns is a machine without a cache, whose requests take 20 ms and are
// counted.
func manyOnS3(t testing.TB) func() (*state.Store, *atomic.Int64) {
	srv := s3test.Start(t)
	o := s3blob.Options{Bucket: srv.Bucket(t), Prefix: "state", Endpoint: srv.Endpoint, Region: srv.Region, ForcePathStyle: true,
		Credentials: srv.Credentials(), Retry: blob.Retry{Wait: time.Millisecond}}
	open := func() *state.Store {
		store, err := s3blob.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return Open(store, Options{Program: "0.1.0", Cache: t.TempDir()})
	}
	l := statetest.Lock(t, open())
	statetest.PutMany(t, l)
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	return func() (*state.Store, *atomic.Int64) {
		n := &atomic.Int64{}
		o.WrapTransport = func(next aws.HTTPClient) aws.HTTPClient { return slowly{next, 20 * time.Millisecond, n} }
		return open(), n
	}
}

// TestRequestsOfOpening: without a cache, opening a state costs as many requests as it
// has checkpoints to read and looks at the head, however large it is.
func TestRequestsOfOpening(t *testing.T) {
	s, n := manyOnS3(t)()
	began := time.Now()
	if snap := statetest.Load(t, s); len(snap.Tables) != 50 || len(snap.Partitions["event_number_7"]) != 400 {
		t.Fatalf("%d tables, %d partitions", len(snap.Tables), len(snap.Partitions["event_number_7"]))
	}
	t.Logf("%d requests in %s", n.Load(), time.Since(began))
	if n.Load() > 10 {
		t.Errorf("opening it costs %d requests", n.Load())
	}
}

// BenchmarkOpen20000PartitionsOnS3 opens a state without a cache, at 20 ms a request.
func BenchmarkOpen20000PartitionsOnS3(b *testing.B) {
	machine := manyOnS3(b)
	for b.Loop() {
		s, _ := machine()
		statetest.Load(b, s)
	}
}
