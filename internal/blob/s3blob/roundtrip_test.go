package s3blob_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/internal/blob"
)

// TestRoundTrip answers after a while: content does not count, nor what a server works on.
func TestRoundTrip(t *testing.T) {
	o := fake(t)
	const after = 40 * time.Millisecond
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if op == "HeadObject" {
			time.Sleep(after)
		} else {
			time.Sleep(10 * after)
		}
		return next.Do(r)
	})
	s := open(t, o)
	if d := s.RoundTrip(); d != 0 {
		t.Errorf("before the first request: %s", d)
	}
	if _, err := blob.Put(ctx, s, "k", []byte("content"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if _, err := s.Stat(ctx, "k"); err != nil {
			t.Fatal(err)
		}
	}
	if d := s.RoundTrip(); d < after || d > 2*after {
		t.Errorf("a round trip takes %s, want %s and a little", d, after)
	}
}
