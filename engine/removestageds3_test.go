package engine

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob/s3test"
)

// commitOf is the serial of a table's last commit, by the state.
func (h *harness) commitOf(table string) uint64 {
	h.t.Helper()
	snap, err := h.engine().store.Load(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	defer snap.Close()
	return snap.Tables[table].Commit
}

// An apply dies between the end of publishing and the sweep. The next one sweeps before
// the table's next transaction: staged files are gone and unfinished moves are given up.
// While that fails, the table is held.
func TestStagedIsRemovedBeforeNextCommitOnS3(t *testing.T) {
	h := newHarness(t, unpartitioned)
	pair := gatedPair(t)
	pair.place(h)
	s := pair.server
	h.arrive(plainDump(1, 0, 50))
	h.must()
	h.arrive(plainDump(2, 50, 50))
	h.interruptAt("publish.clear.after=error")
	name := sortedKeys(h.dataFiles())[0]
	dest, staged := "lake/pageviews/"+name, "lake/_reconcile/staging/0-0123456789abcdef/f000001"
	_, err := s.Client().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &pair.out, Key: &dest})
	if err == nil {
		_, err = s.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &pair.out, Key: &staged, Body: strings.NewReader("old")})
	}
	if err != nil {
		t.Fatal(err)
	}
	commit := h.commitOf("pageviews")
	h.arrive(plainDump(3, 100, 50))
	for _, fails := range []struct {
		what string
		rule func(r *http.Request) bool
	}{
		{"deletion", func(r *http.Request) bool {
			return r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "0123456789abcdef")
		}},
		{"listing of uploads", func(r *http.Request) bool { return r.URL.Query().Has("uploads") }},
		{"abort", func(r *http.Request) bool { return r.Method == http.MethodDelete && r.URL.Query().Has("uploadId") }},
	} {
		pair.gate.Rule(func(_ int, r *http.Request) s3test.Fault {
			if fails.rule(r) {
				return s3test.Denied
			}
			return s3test.NoFault
		})
		res, err := h.apply()
		if err != nil || !res.Partial() || len(res.Holds) != 1 || !strings.Contains(res.Holds[0].Reason, "s3://") {
			t.Fatalf("with a failing %s: %v, %+v", fails.what, err, res)
		}
		if now := h.commitOf("pageviews"); now != commit {
			t.Errorf("with a failing %s the table went from commit %d to %d", fails.what, commit, now)
		}
	}
	pair.gate.Rule(nil)
	h.interruptAt("state.commit.before=error")
	if got := pair.uploads(t); len(got) > 0 {
		t.Errorf("before the next transaction there are uploads at %q", got)
	}
	if _, err := s.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &pair.out, Key: &staged}); err == nil {
		t.Error("before the next transaction a staged file is left")
	}
	h.must()
}
