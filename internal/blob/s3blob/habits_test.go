package s3blob_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// withHabit returns options for a new bucket of versitygw behind a server with a habit.
func withHabit(t *testing.T, srv *s3test.Server, h s3test.Habit) s3blob.Options {
	t.Helper()
	bare(t)
	o := realParts(t, srv)
	url, client := s3test.WithHabit(t, srv.Endpoint, h)
	o.Endpoint, o.WrapTransport = url, func(aws.HTTPClient) aws.HTTPClient { return client }
	return o
}

// TestHabits writes, moves, reads, lists and removes on stores with the habits of others,
// small objects and large ones.
func TestHabits(t *testing.T) {
	srv := s3test.Start(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)
	for _, sum := range []string{"", "crc32", "crc64nvme", "sha256", "none"} {
		for _, h := range []s3test.Habit{"", s3test.RewritesAcceptEncoding, s3test.DropsAcceptEncoding, s3test.NoChunks, s3test.WeakETags, s3test.NoChecksums} {
			if h == s3test.NoChecksums && sum != "none" {
				continue
			}
			t.Run(strings.TrimSpace(string(h)+" "+sum), func(t *testing.T) {
				o := withHabit(t, srv, h)
				o.Write.Checksum = sum
				if err := story(open(t, o), big); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestNoChecksums: the message says what to set, and the setting of the SDK does it, too.
func TestNoChecksums(t *testing.T) {
	srv := s3test.Start(t)
	o := withHabit(t, srv, s3test.NoChecksums)
	_, err := blob.Put(ctx, open(t, o), "k", []byte("x"), blob.Cond{})
	if err == nil || !strings.Contains(err.Error(), `set checksum = "none"`) {
		t.Errorf("it says %v", err)
	}
	t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
	if _, err := blob.Put(ctx, open(t, o), "k", []byte("x"), blob.Cond{}); err != nil {
		t.Error(err)
	}
}

// TestNotS3: what answers 200 with something else is no store without objects.
func TestNotS3(t *testing.T) {
	srv := s3test.Start(t)
	for h, says := range map[s3test.Habit]string{s3test.LoginPage: `begins with "<!DOCTYPE html>`, s3test.Empty: "is empty"} {
		s := open(t, withHabit(t, srv, h))
		list, err := s.List(ctx, "folder")
		if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: it lists %v, %v", h, list, err)
		}
		if n := s.Stats().Total(); n != 1 {
			t.Errorf("%s: %d requests for it", h, n)
		}
		if _, _, err := s.ReadWhole(ctx, "k", 100); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: reading an object: %v", h, err)
		}
		if o, err := s.Stat(ctx, "k"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: looking at an object: %v, %v", h, o, err)
		}
		if _, err := blob.Put(ctx, s, "k", []byte("x"), blob.Cond{}); err == nil {
			t.Errorf("%s: it takes an object", h)
		}
	}
}
