package s3blob_test

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"reconcile/internal/blob"
	"reconcile/internal/blob/blobtest"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

var ctx = context.Background()

// quick retries without wasting time.
var quick = blob.Retry{Attempts: 6, Wait: time.Millisecond}

// fake returns options for a new bucket of a server in this process. It is
// right about all but conditions on completing, copying and removing.
func fake(t testing.TB) s3blob.Options {
	t.Helper()
	backend := s3mem.New()
	quiet := gofakes3.StdLog(log.New(io.Discard, "", 0))
	srv := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(quiet)).Server())
	t.Cleanup(srv.Close)
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	return s3blob.Options{Bucket: "bucket", Endpoint: srv.URL, Region: "us-east-1", ForcePathStyle: true, Retry: quick,
		Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
}

// real returns options for a new bucket of versitygw.
func real(t testing.TB, srv *s3test.Server) s3blob.Options {
	t.Helper()
	return s3blob.Options{Bucket: srv.Bucket(t), Endpoint: srv.Endpoint, Region: srv.Region, ForcePathStyle: true, Retry: quick,
		Credentials: srv.Credentials()}
}

func open(t testing.TB, o s3blob.Options) *s3blob.Store {
	t.Helper()
	s, err := s3blob.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFakeConforms(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, fake(t)) })
}

func TestVersitygwConforms(t *testing.T) { conforms(t, s3test.Start(t)) }

func TestOtherConforms(t *testing.T) {
	srv := s3test.Other(t)
	conforms(t, srv)
	caps, err := open(t, real(t, srv)).Capabilities(ctx)
	t.Logf("%+v, %v", caps, err)
	for _, f := range faults {
		failEach(t, f, big, func(t testing.TB) s3blob.Options { return realParts(t, srv) })
	}
}

func conforms(t *testing.T, srv *s3test.Server) {
	for name, change := range map[string]func(*s3blob.Options){
		"plain": func(*s3blob.Options) {},
		"prefix, small parts and pages": func(o *s3blob.Options) {
			o.Prefix, o.PartSize, o.CopyLimit, o.CopyPartSize, o.ListPage = "deep/er", 5<<20, 1<<20, 5<<20, 2
		},
		"crc64nvme": func(o *s3blob.Options) { o.Write.Checksum, o.PartSize = "crc64nvme", 5<<20 },
	} {
		t.Run(name, func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) blob.Store {
				o := real(t, srv)
				change(&o)
				return open(t, o)
			})
		})
	}
}

func TestCapabilities(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		wantCaps(t, fake(t), s3blob.Capabilities{Put: true})
	})
	t.Run("versitygw", func(t *testing.T) {
		wantCaps(t, real(t, s3test.Start(t)), s3blob.Capabilities{Put: true, Complete: true, Delete: true})
	})
}

func wantCaps(t *testing.T, o s3blob.Options, want s3blob.Capabilities) {
	t.Helper()
	s := open(t, o)
	got, err := s.Capabilities(ctx)
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	o.ProbeFolder = "elsewhere"
	before := s.Stats().Total()
	if _, err := s.Capabilities(ctx); err != nil || s.Stats().Total() != before {
		t.Errorf("asked again: %d requests, %v", s.Stats().Total()-before, err)
	}
	if l, err := s.List(ctx, ""); err == nil {
		t.Errorf("trying out left %v", l)
	}
}
