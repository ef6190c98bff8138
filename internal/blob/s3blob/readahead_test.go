package s3blob_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/internal/blob"
)

// TestReadAhead answers nothing until as many pieces are asked for as are read ahead, though
// nobody has read a byte yet, and one more when the first is read. All of the object is fetched
// once, in pieces of the full size.
func TestReadAhead(t *testing.T) {
	const size, piece = 20<<20 + 70_000, 2 << 20
	o := fake(t)
	o.ReadAhead = piece
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i>>9 ^ i)
	}
	if _, err := blob.Put(ctx, open(t, o), "k", data, blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if r.Header.Get("If-Match") != "" { // behind the first bytes
			asked <- struct{}{}
			<-answer
		}
		return next.Do(r)
	})
	s := open(t, o)
	h, err := s.Open(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	wait := func(pieces int) {
		t.Helper()
		for n := range pieces {
			select {
			case <-asked:
			case <-time.After(10 * time.Second):
				t.Fatalf("only %d of %d pieces are asked for", n, pieces)
			}
		}
	}
	h.ReadAhead(3)
	wait(3)
	for range 3 {
		answer <- struct{}{}
	}
	first := make([]byte, 70_000) // beyond what is fetched when it is opened
	if _, err := h.ReadAt(first, 0); err != nil {
		t.Fatal(err)
	}
	wait(1)
	close(answer)
	got := bytes.NewBuffer(first)
	if _, err := io.CopyBuffer(struct{ io.Writer }{got}, struct{ io.Reader }{io.NewSectionReader(h, int64(len(first)), size)}, make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), data) {
		t.Error("read something else")
	}
	if n := s.Stats(); n.Requests["GetObject"] != 1+11 || n.Read != size {
		t.Errorf("it took %d requests and %d bytes, want 12 and %d", n.Requests["GetObject"], n.Read, size)
	}
	if n := len(asked); n != 11-4 {
		t.Errorf("%d pieces were asked for behind the first four, want 7", n)
	}
}

// A small object is there when it is opened.
func TestReadAheadOfSmallObjects(t *testing.T) {
	s := open(t, fake(t))
	for _, size := range []int{1, 64 << 10, 64<<10 + 1} {
		key := fmt.Sprint(size)
		data := bytes.Repeat([]byte("x"), size)
		if _, err := blob.Put(ctx, s, key, data, blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		before := s.Stats()
		h, err := s.Open(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		h.ReadAhead(4)
		got, err := io.ReadAll(io.NewSectionReader(h, 0, int64(size)))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("of %d bytes %d were read, %v", size, len(got), err)
		}
		want := int64(1)
		if size > 64<<10 {
			want = 2
		}
		if n := s.Stats().Total() - before.Total(); n != want {
			t.Errorf("%d bytes took %d requests, want %d", size, n, want)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}
