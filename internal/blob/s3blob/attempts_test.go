package s3blob_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// confirmed are answers of a server that did what it was asked for.
var confirmed = map[string]string{
	"PutObject":               "",
	"DeleteObject":            "",
	"CopyObject":              "<CopyObjectResult><ETag>\"11111111111111111111111111111111\"</ETag></CopyObjectResult>",
	"CompleteMultipartUpload": "<CompleteMultipartUploadResult><ETag>\"11111111111111111111111111111111-1\"</ETag></CompleteMultipartUploadResult>",
}

// dies makes a server die in the middle of requests of a kind about keys of the
// table t, some times, and say when it is back that it has done them.
func dies(o *s3blob.Options, kind string, times int64) *atomic.Int64 {
	var left, down atomic.Int64
	left.Store(times)
	wrap(o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if op != kind || !strings.Contains(r.URL.Path, "/t/") || left.Load() == 0 {
			return next.Do(r)
		}
		if down.Add(1)%2 == 1 {
			return answer(r, 503, "ServiceUnavailable", ""), nil
		}
		left.Add(-1)
		resp := answer(r, 200, "", "")
		resp.Header.Set("ETag", `"11111111111111111111111111111111"`)
		resp.Body = io.NopCloser(strings.NewReader(confirmed[kind]))
		resp.ContentLength = int64(len(confirmed[kind]))
		return resp, nil
	})
	return &left
}

// TestConfirmedAndNotThere is about a server that dies in the middle of a
// request, and confirms the second attempt although it never did it.
func TestConfirmedAndNotThere(t *testing.T) {
	srv := s3test.Start(t)
	move := func(cond blob.Cond) func(*s3blob.Store) error {
		return func(s *s3blob.Store) error {
			_, err := s.Move(ctx, "staging/a", "t/a", cond)
			return err
		}
	}
	for name, c := range map[string]struct {
		kind  string
		do    func(*s3blob.Store) error
		moved string // where what was staged is, when it was done again
	}{
		"copy":             {"CopyObject", move(blob.Cond{}), "t/a"},
		"copy in parts":    {"CompleteMultipartUpload", move(blob.Absent()), "t/a"},
		"write":            {"PutObject", func(s *s3blob.Store) error { return putAt(s, "t/b", []byte("small")) }, ""},
		"write in parts":   {"CompleteMultipartUpload", func(s *s3blob.Store) error { return putAt(s, "t/b", big) }, ""},
		"removal":          {"DeleteObject", func(s *s3blob.Store) error { return s.Delete(ctx, "t/old", blob.Cond{}) }, ""},
		"replacing a file": {"CompleteMultipartUpload", replaceOld, "t/old"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, times := range []int64{1, 100} {
				o := realParts(t, srv)
				plain := open(t, o)
				for _, key := range []string{"staging/a", "t/old"} {
					if err := putAt(plain, key, []byte(key)); err != nil {
						t.Fatal(err)
					}
				}
				left := dies(&o, c.kind, times)
				err := c.do(open(t, o))
				if left.Load() == times {
					t.Fatalf("no %s was asked for", c.kind)
				}
				if c.moved != "" && times == 1 {
					if data, _, rerr := blob.ReadAll(ctx, plain, c.moved, 100); err != nil || rerr != nil || string(data) != "staging/a" {
						t.Errorf("%v; there is %q, %v", err, data, rerr)
					}
					continue
				}
				if err == nil || !blob.Transient(err) || !strings.Contains(err.Error(), plain.Root()) {
					t.Errorf("it was confirmed %d times and never done: %v", times-left.Load(), err)
				}
				if data, _, err := blob.ReadAll(ctx, plain, "staging/a", 100); err != nil || string(data) != "staging/a" {
					t.Errorf("what was staged holds %q, %v", data, err)
				}
			}
		})
	}
}

func putAt(s *s3blob.Store, key string, data []byte) error {
	_, err := blob.Put(ctx, s, key, data, blob.Cond{})
	return err
}

// replaceOld moves over an object that is there.
func replaceOld(s *s3blob.Store) error {
	old, err := s.Stat(ctx, "t/old")
	if err == nil {
		_, err = s.Move(ctx, "staging/a", "t/old", blob.Match(old.Pin))
	}
	return err
}

// TestProbesAreRepeated lets the server confirm what it must refuse, as it does
// when it died at the first attempt: that is not what it keeps.
func TestProbesAreRepeated(t *testing.T) {
	srv := s3test.Start(t)
	for _, kind := range []string{"PutObject", "CompleteMultipartUpload", "DeleteObject"} {
		o := real(t, srv)
		o.ProbeFolder = "t"
		// Above the probe's own objects, the first of which is written without a condition.
		dies(&o, kind, 2)
		caps, err := open(t, o).Capabilities(ctx)
		if want := (s3blob.Capabilities{Put: true, Complete: true, Delete: true}); kind != "PutObject" && (err != nil || caps != want) {
			t.Errorf("%s: %+v, %v, want %+v", kind, caps, err, want)
		}
		if kind == "PutObject" && err == nil {
			t.Errorf("%s: %+v, although its objects are not there", kind, caps)
		}
	}
}
