package s3blob_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/internal/blob"
	"reconcile/internal/blob/blobtest"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// big is an object of two parts, of which one has the least size.
var big = bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16+1000)

func small(o *s3blob.Options) { o.PartSize, o.CopyPartSize, o.CopyLimit = 5<<20, 5<<20, 5<<20 }

// fakeParts is small for a server that cannot copy parts.
func fakeParts(t testing.TB) s3blob.Options {
	o := fake(t)
	o.PartSize = 100 << 10
	return o
}

func realParts(t testing.TB, srv *s3test.Server) s3blob.Options {
	o := real(t, srv)
	small(&o)
	return o
}

// story does everything that a store can do, and fails if any of it does.
func story(s *s3blob.Store, big []byte) error {
	first, err := blob.Put(ctx, s, "staging/a", []byte("one"), blob.Absent())
	if err == nil {
		_, err = blob.Put(ctx, s, "staging/a", []byte("two"), blob.Match(first.Pin))
	}
	if err == nil {
		_, err = blob.Put(ctx, s, "staging/b", big, blob.Cond{})
	}
	if err != nil {
		return err
	}
	a, err := s.Move(ctx, "staging/a", "t/a", blob.Absent())
	if err == nil {
		_, err = blob.Put(ctx, s, "staging/a", []byte("three"), blob.Cond{})
	}
	if err == nil {
		a, err = s.Move(ctx, "staging/a", "t/a", blob.Match(a.Pin))
	}
	if err == nil {
		_, err = s.Move(ctx, "staging/b", "t/b", blob.Absent())
	}
	if err == nil {
		_, err = blob.Put(ctx, s, "t/c", []byte("gone"), blob.Cond{})
	}
	if err == nil {
		err = s.Delete(ctx, "t/c", blob.Cond{})
	}
	if err == nil {
		err = s.RemoveLeftovers(ctx, blob.Leftovers{Prefix: "staging"})
	}
	if err != nil {
		return err
	}
	return ending(s, a, big)
}

// ending checks what the story leads to.
func ending(s *s3blob.Store, a blob.Object, big []byte) error {
	list, err := s.List(ctx, "")
	if err != nil {
		return err
	}
	var keys []string
	for _, o := range list {
		keys = append(keys, o.Key)
	}
	if want := []string{"t/a", "t/b"}; !slices.Equal(keys, want) || list[0].Pin != a.Pin {
		return fmt.Errorf("there are %q with pin %s, want %q with %s", keys, list[0].Pin, want, a.Pin)
	}
	data, _, err := blob.ReadAll(ctx, s, "t/a", 100)
	if err == nil && string(data) != "three" {
		err = fmt.Errorf("t/a holds %q", data)
	}
	if err != nil {
		return err
	}
	data, _, err = blob.ReadAll(ctx, s, "t/b", 1<<30)
	if err == nil && !bytes.Equal(data, big) {
		err = errors.New("t/b holds something else")
	}
	return err
}

// TestEveryRequestCanFail lets the N-th request fail, for each N and in every
// way. One fault is always overcome, and a lost answer never taken for
// somebody else's doing.
func TestEveryRequestCanFail(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			failEach(t, f, big[:150<<10], fakeParts)
		})
		t.Run(f.name+", conditional copy", func(t *testing.T) {
			t.Parallel()
			failEach(t, f, big[:150<<10], func(t testing.TB) s3blob.Options {
				o := fakeParts(t)
				keepCopyConditions(&o)
				return o
			})
		})
		if !f.reaches {
			continue // no server can behave differently
		}
		t.Run(f.name+", versitygw", func(t *testing.T) {
			t.Parallel()
			srv := s3test.Start(t)
			failEach(t, f, big, func(t testing.TB) s3blob.Options { return realParts(t, srv) })
		})
	}
}

func failEach(t *testing.T, f fault, big []byte, options func(testing.TB) s3blob.Options) {
	for n := 0; ; n++ {
		o := options(t)
		hit := failAt(&o, n, f)
		if err := story(open(t, o), big); err != nil {
			op, _ := hit.struck()
			t.Fatalf("request %d (%s) failed: %v", n, op, err)
		}
		if _, struck := hit.struck(); !struck {
			if n < 30 {
				t.Errorf("the story has only %d requests", n)
			}
			return
		}
	}
}

// TestConditionalCopyConforms runs the suite with the conditions of AWS.
func TestConditionalCopyConforms(t *testing.T) {
	conditional := func(t testing.TB) s3blob.Options {
		o := fake(t)
		keepCopyConditions(&o)
		return o
	}
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, conditional(t)) })
	wantCaps(t, conditional(t), s3blob.Capabilities{Put: true, Copy: true})
}

// TestRefusesUnsafeWrites is about a server that ignores conditions.
func TestRefusesUnsafeWrites(t *testing.T) {
	o := fake(t)
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if op == "PutObject" {
			r.Header.Del("If-None-Match")
			r.Header.Del("If-Match")
		}
		return next.Do(r)
	})
	s := open(t, o)
	for _, cond := range []blob.Cond{blob.Absent(), blob.Match("x")} {
		_, err := blob.Put(ctx, s, "k", nil, cond)
		if !errors.Is(err, blob.ErrUnsupported) || !strings.Contains(err.Error(), o.Endpoint) {
			t.Errorf("got %v, want a refusal that names the server", err)
		}
	}
	if _, err := blob.Put(ctx, s, "k", nil, blob.Cond{}); err != nil {
		t.Error(err)
	}
	// Large ones complete an upload, which this server does without looking.
	if _, err := blob.Put(ctx, open(t, fakeParts(t)), "k", big, blob.Absent()); !errors.Is(err, blob.ErrUnsupported) {
		t.Errorf("got %v, want a refusal", err)
	}
}

// TestReadsGoOn cuts answers again and again: what came is kept.
func TestReadsGoOn(t *testing.T) {
	srv := s3test.Start(t)
	o := real(t, srv)
	if _, err := blob.Put(ctx, open(t, o), "k", big, blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	proxy := s3test.NewProxy(t, srv.Endpoint)
	o.Endpoint = proxy.Endpoint
	s := open(t, o)
	for _, after := range []int64{0, 100, 3000, 100_000, 3 << 20} {
		proxy.Cut(after, 4)
		data, _, err := blob.ReadAll(ctx, s, "k", 1<<30)
		if err != nil || !bytes.Equal(data, big) {
			t.Errorf("cut after %d bytes: read %d bytes, %v", after, len(data), err)
		}
	}
	proxy.Cut(100, 1<<30)
	_, _, err := blob.ReadAll(ctx, s, "k", 1<<30)
	if err == nil || !blob.Transient(err) || !strings.Contains(err.Error(), s.Root()+"/k") {
		t.Errorf("cut for ever: %v, want an error that may go away and names the object", err)
	}
}

func TestSilentServer(t *testing.T) {
	srv := s3test.Start(t)
	o := real(t, srv)
	o.Idle, o.Retry.Attempts = time.Second, 3
	proxy := s3test.NewProxy(t, srv.Endpoint)
	o.Endpoint = proxy.Endpoint
	s := open(t, o)
	if _, err := blob.Put(ctx, s, "k", []byte("x"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	proxy.Silence(true)
	start := time.Now()
	_, err := s.Stat(ctx, "k")
	if err == nil || !blob.Transient(err) || !strings.Contains(err.Error(), "silent") || time.Since(start) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	proxy.Silence(false)
	proxy.Latency(200 * time.Millisecond) // slow, but not silent
	if _, err := s.Stat(ctx, "k"); err != nil {
		t.Error(err)
	}
}

// TestStubbornFault is about a server that never recovers.
func TestStubbornFault(t *testing.T) {
	for _, f := range faults[:4] {
		o := fake(t)
		var calls atomic.Int64
		wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
			calls.Add(1)
			return f.do(next, r)
		})
		s := blob.WithRetries(open(t, o), quick)
		_, err := s.List(ctx, "x")
		if err == nil || !blob.Transient(err) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", f.name, err)
		}
		want := int64(quick.Attempts)
		if f.name == "refused" {
			want = 4 // where nothing has ever answered, the endpoint is likely wrong
		}
		if calls.Load() != want {
			t.Errorf("%s: tried %d times, want %d", f.name, calls.Load(), want)
		}
	}
}

// TestPinned changes an object under a reader.
func TestPinned(t *testing.T) {
	for name, o := range map[string]s3blob.Options{"fake": fake(t), "versitygw": real(t, s3test.Start(t))} {
		s := open(t, o)
		if _, err := blob.Put(ctx, s, "k", big, blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		h, err := s.Open(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if _, err := blob.Put(ctx, s, "k", bytes.ToUpper(big), blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReadAt(make([]byte, 10), 3<<20); !errors.Is(err, blob.ErrConflict) {
			t.Errorf("%s: replaced: %v, want ErrConflict", name, err)
		}
		if err := s.Delete(ctx, "k", blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReadAt(make([]byte, 10), 4<<20); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: removed: %v, want ErrNotExist", name, err)
		}
	}
}

// TestGrace is about objects that appear after they were listed.
func TestGrace(t *testing.T) {
	o := fake(t)
	if _, err := blob.Put(ctx, open(t, o), "k", []byte("x"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	var missing atomic.Int64
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if (op == "GetObject" || op == "HeadObject") && missing.Add(-1) >= 0 {
			return answer(r, 404, "NoSuchKey", "The specified key does not exist."), nil
		}
		return next.Do(r)
	})
	missing.Store(3)
	if _, err := open(t, o).Stat(ctx, "k"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without grace: %v", err)
	}
	o.Grace = 500 * time.Millisecond
	s := open(t, o)
	missing.Store(3)
	if _, err := s.Stat(ctx, "k"); err != nil {
		t.Error(err)
	}
	missing.Store(3)
	if data, _, err := blob.ReadAll(ctx, s, "k", 10); err != nil || string(data) != "x" {
		t.Error(err)
	}
	missing.Store(1 << 40)
	start := time.Now()
	for range 50 {
		if _, err := s.Stat(ctx, "k"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	if d := time.Since(start); d > 6*o.Grace {
		t.Errorf("50 missing objects took %s", d)
	}
}

// TestLostConditionalWrites lets an answer be lost and somebody else write
// before the retry: then it must not be taken for success.
func TestLostConditionalWrites(t *testing.T) {
	o := fake(t)
	other := open(t, o)
	var done atomic.Bool
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if op != "PutObject" || !strings.HasSuffix(r.URL.Path, "/k") || done.Swap(true) {
			return next.Do(r)
		}
		resp, err := next.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if _, err := blob.Put(ctx, other, "k", []byte("other"), blob.Cond{}); err != nil {
			t.Error(err)
		}
		return answer(r, 500, "InternalError", ""), nil
	})
	_, err := blob.Put(ctx, open(t, o), "k", []byte("mine"), blob.Absent())
	if !errors.Is(err, blob.ErrConflict) {
		t.Errorf("got %v, want ErrConflict: the object is not mine", err)
	}
	if data, _, err := blob.ReadAll(ctx, other, "k", 10); err != nil || string(data) != "other" {
		t.Errorf("%q, %v", data, err)
	}
}
