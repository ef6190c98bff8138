package engine

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"reconcile/engine/health"
	"reconcile/internal/blob/s3test"
)

// slowServer is a server that takes its time for each request.
type slowServer struct {
	*s3test.Server
	backend *s3mem.Backend
	clock   gofakes3.TimeSourceAdvancer // that of the objects
	delay   atomic.Int64
	asked   atomic.Int64
	waiting atomic.Int64 // requests that are under way
	atOnce  atomic.Int64 // the most of these
}

func newSlowServer(t *testing.T, begin time.Time) *slowServer {
	s := &slowServer{clock: gofakes3.FixedTimeSource(begin)}
	s.backend = s3mem.New(s3mem.WithTimeSource(s.clock))
	handler := gofakes3.New(s.backend, gofakes3.WithLogger(gofakes3.StdLog(log.New(io.Discard, "", 0))), gofakes3.WithTimeSkewLimit(0)).Server()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		n := s.waiting.Add(1)
		defer s.waiting.Add(-1)
		for most := s.atOnce.Load(); n > most && !s.atOnce.CompareAndSwap(most, n); most = s.atOnce.Load() {
		}
		time.Sleep(time.Duration(s.delay.Load()))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	s.Server = &s3test.Server{Endpoint: srv.URL, AccessKey: "k", SecretKey: "s", Region: "us-east-1"}
	return s
}

// put writes an object without a request.
func (s *slowServer) put(t *testing.T, bucket, key, text string) {
	t.Helper()
	if _, err := s.backend.PutObject(bucket, key, nil, strings.NewReader(text), int64(len(text)), nil); err != nil {
		t.Fatal(err)
	}
}

// TestStatusOfManyManifests: what status asks of a source with thousands of manifests and
// reports is the pages of two listings, the state, the reports of two weeks, and the
// manifests that no apply has read. Requests that do not need each other's answers are made
// side by side.
func TestStatusOfManyManifests(t *testing.T) {
	const (
		manifests, reports = 5000, 20_000
		perDay             = 4 // reports
		page               = 1000
		recent             = 14 * perDay // or one less, as time goes by
	)
	every := 24 * time.Hour / perDay
	s := newSlowServer(t, time.Now().Add(-reports*every))
	s.Setenv(t)
	h := newHarness(t, `
table "*" { sinks = [sink.parquet.lake] }
table "users" { sinks = [sink.parquet.lake] }
`)
	h.remote = newBucketPair(t, s.Server)
	h.prelude = h.remote.prelude()
	stateInBucket(t, h, s.Server, s.Endpoint)
	day := func(i int) string {
		var tables []string
		for _, name := range []string{"pageviews", "sessions", "checkout", "signup", "users", "_event_metadata"} {
			tables = append(tables, fmt.Sprintf(`{"name":%q,"files":[],"columns":["user_id","event_id","session_id","time"],"incremental":true}`, name))
		}
		return fmt.Sprintf(`{"dump_id":%d,"tables":[%s]}`, i, strings.Join(tables, ","))
	}
	for i := range reports {
		at := s.clock.Now()
		s.put(t, h.remote.in, fmt.Sprintf("export/sync_reports/%05d.json", (i*7919)%reports),
			fmt.Sprintf(`{"start_time":%d,"finish_time":%d,"next_sync_at":%d,"status":"succeeded","error":null}`,
				at.Add(-time.Hour).UnixMilli(), at.UnixMilli(), at.Add(every).UnixMilli()))
		if i%(reports/manifests) == 0 && i < reports-5*perDay {
			s.put(t, h.remote.in, fmt.Sprintf("export/manifests/sync_%d.json", 1000+i), day(1000+i))
		}
		s.clock.Advance(every)
	}
	if _, err := h.apply(); err != nil {
		t.Fatal(err)
	}
	s.put(t, h.remote.in, "export/manifests/sync_99999.json", day(99999))

	s.delay.Store(int64(20 * time.Millisecond))
	s.asked.Store(0)
	s.atOnce.Store(0)
	got, err := h.engine().Health().Read(t.Context(), health.Options{}, time.Now()) // on a machine that has seen nothing of the state
	if err != nil {
		t.Fatal(err)
	}
	asked := s.asked.Load()
	if got.Sync.Read > recent || got.Sync.Read < recent-1 || got.Sync.All != reports || got.Newest.Dump != 99999 || len(got.Tables) != 5 || got.Tables[0].Unapplied != 1 {
		t.Fatalf("%+v", got)
	}
	t.Logf("%d requests, up to %d at once", asked, s.atOnce.Load())
	if most := int64(manifests/page + 1 + reports/page + 1 + recent + 12); asked > most {
		t.Errorf("it asks %d times, at most %d are expected", asked, most)
	}
	if n := s.atOnce.Load(); n < 8 {
		t.Errorf("it makes at most %d requests at once", n)
	}
}
