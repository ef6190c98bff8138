package engine

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// gated returns a harness from bucket to bucket through a gate.
func gated(t *testing.T, hcl string) (*harness, *s3test.Gate) {
	h := newHarness(t, hcl)
	gatedPair(t).place(h)
	h.tuning.S3 = func(o *s3blob.Options) { o.Retry.Wait = time.Millisecond }
	return h, h.remote.gate
}

// TestChangedSincePlan replaces a part file between plan and apply: its table is
// held, on S3 and on folders, and the next apply takes the new content.
func TestChangedSincePlan(t *testing.T) {
	onBuckets, _ := gated(t, killConfig)
	for name, h := range map[string]*harness{"S3": onBuckets, "folders": newHarness(t, killConfig)} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			dumps := killDumps()
			h.arrive(dumps[0])
			h.must()
			h.arrive(dumps[1])
			h.remote.upload(t, filepath.Join(h.dir, "dumps"))
			e := h.engine()
			l, err := e.Lock(t.Context(), "test")
			if err != nil {
				t.Fatal(err)
			}
			p, err := e.PlanLocked(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			f := dumps[1].Entries[0].Files[1]
			f.Rows = append(f.Rows, killEvent(99, int64(3), 2, "/late"))
			if err := dumps[1].Write(filepath.Join(h.dir, "dumps")); err != nil {
				t.Fatal(err)
			}
			h.remote.upload(t, filepath.Join(h.dir, "dumps"))
			res, err := e.Apply(t.Context(), l, p)
			held := err == nil && slices.ContainsFunc(res.Holds, func(h plan.Hold) bool { return h.Table == "pageviews" && (h.File == f.Key || name == "folders") })
			for _, h := range res.Holds { // on folders, all files were rewritten
				held = held && strings.Contains(h.Reason, "changed since the plan") && (name == "folders" || h.Table == "pageviews")
			}
			if !held {
				t.Errorf("%v, %+v", err, res)
			}
			if err := l.Unlock(); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			h.must()
		})
	}
}

// TestThrottledOnS3 lets the server ask to slow down again and again.
func TestThrottledOnS3(t *testing.T) {
	h, gate := gated(t, killConfig)
	h.arrive(killDumps()[:2]...)
	h.remote.upload(t, filepath.Join(h.dir, "dumps"))
	gate.Rule(func(n int, _ *http.Request) s3test.Fault {
		if n%5 < 2 {
			return s3test.SlowDown
		}
		return s3test.NoFault
	})
	h.must()
	if n := gate.Struck(); n < 50 {
		t.Errorf("only %d requests were throttled", n)
	}
}

// TestLateFilesOnS3 is about a listed file that answers 404 for a while.
func TestLateFilesOnS3(t *testing.T) {
	h, gate := gated(t, killConfig)
	h.arrive(killDumps()[:1]...)
	late := 0
	gate.Rule(func(_ int, r *http.Request) s3test.Fault {
		if strings.HasSuffix(r.URL.Path, "=sessions/part-00000.avro") && late < 3 {
			late++
			return "404 NoSuchKey"
		}
		return s3test.NoFault
	})
	h.must()
	if late != 3 {
		t.Errorf("the file was late %d times", late)
	}
}

// TestHostileNamesOnS3 has names of tables and files that mean something in
// URLs, paths and queries.
func TestHostileNamesOnS3(t *testing.T) {
	h, _ := gated(t, killConfig)
	d := &model.Dump{ID: 1}
	for i, name := range []string{"a b+c", "100%25", "ü?x=1&y#z", "..%2Fup", "UPPER.case~'\"()!*"} {
		e := killEvents(1, name, "event_id", true, [][]any{killEvent(int64(i), int64(i), 1, "/"), killEvent(int64(i+10), int64(i), 3, "/")})
		e.Files[0].Key = fmt.Sprintf("sync_1/t=%s/part %d+%%2B é?&=#;,'.avro", strings.ReplaceAll(name, "/", ""), i)
		d.Entries = append(d.Entries, e)
	}
	h.arrive(d)
	h.must()
	h.arrive(&model.Dump{ID: 2, Entries: []model.Entry{killMapping(2, [2]int64{1, 0})}})
	h.must()
	outside := &model.Dump{ID: 3, Entries: []model.Entry{killEvents(3, "a b+c", "event_id", true, [][]any{killEvent(1, int64(1), 1, "/")})}}
	if err := outside.Write(filepath.Join(h.dir, "dumps")); err != nil {
		t.Fatal(err)
	}
	h.check()
}

// TestPagesOnS3 makes every listing one of many pages, and copies in parts what
// is larger than a few bytes.
func TestPagesOnS3(t *testing.T) {
	h, gate := gated(t, killConfig)
	small := h.tuning.S3
	h.tuning.S3 = func(o *s3blob.Options) {
		small(o)
		o.ListPage = 1
	}
	h.arrive(killDumps()[:2]...)
	h.must()
	gate.Rule(nil)
	h.arrive(killDumps()[2:]...)
	h.must()
	pages := 0
	for _, r := range gate.Seen() {
		if strings.Contains(r.Query, "continuation-token") {
			pages++
		}
	}
	if pages < 10 {
		t.Errorf("there were only %d further pages", pages)
	}
}

// fakeServer is a server in this process, which takes whatever it is asked for.
func fakeServer(t *testing.T) *s3test.Server {
	quiet := gofakes3.StdLog(log.New(io.Discard, "", 0))
	srv := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithLogger(quiet)).Server())
	t.Cleanup(srv.Close)
	return &s3test.Server{Endpoint: srv.URL, AccessKey: "k", SecretKey: "s", Region: "us-east-1"}
}

// TestAttributesOnS3 looks at what a sink asks for each object that it writes,
// in one request or in parts, and copies.
func TestAttributesOnS3(t *testing.T) {
	s := fakeServer(t)
	s.Setenv(t)
	h := newHarness(t, killConfig)
	h.remote = newBucketPair(t, s)
	gate := s3test.NewGate(t, s.Endpoint)
	h.remote.gate = gate
	h.prelude = strings.Replace(h.remote.prelude(), "sink \"parquet\" \"lake\" {", `sink "parquet" "lake" {
  storage_class = "STANDARD_IA"
  tags = { team = "data & co", env = "prod" }
  sse = "aws:kms"
  kms_key_id = "key-1"
  bucket_key = true
  acl = "bucket-owner-full-control"`, 1)
	h.tuning.S3 = func(o *s3blob.Options) { o.PartSize = 1500 }
	h.arrive(killDumps()[:2]...)
	h.must()
	want := map[string]string{
		"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Tagging": "env=prod&team=data+%26+co", "X-Amz-Server-Side-Encryption": "aws:kms",
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-1", "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true",
		"X-Amz-Acl": "bucket-owner-full-control",
	}
	kinds := map[string]int{}
	for _, r := range gate.Seen() {
		kind := ""
		switch {
		case r.Method == "PUT" && strings.Contains(r.Query, "partNumber"):
			continue
		case r.Method == "PUT" && r.Header.Get("X-Amz-Copy-Source") != "":
			kind = "copy"
		case r.Method == "PUT":
			kind = "put"
		case r.Method == "POST" && strings.HasPrefix(r.Query, "uploads"):
			kind = "multipart"
		default:
			continue
		}
		kinds[kind]++
		for k, v := range want {
			if got := r.Header.Get(k); got != v {
				t.Errorf("%s of %s: %s is %q, want %q", kind, r.Path, k, got, v)
			}
		}
	}
	if kinds["put"] < 5 || kinds["copy"] < 5 || kinds["multipart"] < 3 {
		t.Errorf("there were only %v", kinds)
	}
}
