package parquet_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/sinks"
	"reconcile/sinks/parquet"
)

// weakServer starts a server that keeps conditions on PUT, and none on completing,
// copying and removing.
func weakServer(t *testing.T) s3blob.Options {
	backend := s3mem.New()
	srv := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.StdLog(log.New(io.Discard, "", 0)))).Server())
	t.Cleanup(srv.Close)
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	return s3blob.Options{Bucket: "bucket", Prefix: "lake", Endpoint: srv.URL, Region: "us-east-1", ForcePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
}

type doer func(r *http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// heldSink is the sink of one who was paused: the first request of an operation to a
// key that ends so waits until late is closed; held is closed when it does.
func heldSink(t *testing.T, o s3blob.Options, op, suffix string) (s sinks.Sink, held, late chan struct{}) {
	held, late = make(chan struct{}), make(chan struct{})
	first := true
	o.WrapTransport = func(next aws.HTTPClient) aws.HTTPClient {
		return doer(func(r *http.Request) (*http.Response, error) {
			if first && awsmiddleware.GetOperationName(r.Context()) == op && strings.HasSuffix(r.URL.Path, suffix) {
				first = false
				close(held)
				<-late
			}
			return next.Do(r)
		})
	}
	return s3Sink(t, o), held, late
}

func s3Sink(t *testing.T, o s3blob.Options) sinks.Sink {
	store, err := s3blob.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return parquet.New(store, parquet.Options{})
}

func stageIn(t *testing.T, s sinks.Sink, attempt, name string, rows int) sinks.File {
	t.Helper()
	w, err := s.Stage(ctx, attempt, name, sinks.FileSpec{Columns: cols()})
	if err == nil {
		err = w.Write(ctx, batch(0, rows))
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestLateRequests holds one request of a paused holder of the lock past a takeover, the
// removal and the next commit, copies and removals at a server that keeps no conditions on
// them: what stands there afterwards is the next commit's.
func TestLateRequests(t *testing.T) {
	const at, gone = "t/part-00000-1.parquet", "t/part-00001-1.parquet"
	for name, c := range map[string]struct {
		op, suffix string
		limit      int64
	}{
		"copy":              {"CopyObject", "/" + at, 0},
		"multipart copy":    {"UploadPartCopy", "/" + at, 1},
		"end of a copy":     {"CompleteMultipartUpload", "/" + at, 1},
		"removal":           {"DeleteObject", "/" + gone, 0},
		"removal of staged": {"DeleteObject", "/f2", 0},
		"current.json":      {"PutObject", "/current.json", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := weakServer(t)
			if c.limit > 0 { // that server copies no parts; this one keeps conditions on completing
				srv := s3test.Start(t)
				o = s3blob.Options{Bucket: srv.Bucket(t), Prefix: "lake", Endpoint: srv.Endpoint, Region: srv.Region, ForcePathStyle: true,
					Credentials: srv.Credentials(), CopyLimit: c.limit}
			}
			paused, held, late := heldSink(t, o, c.op, c.suffix)
			next := s3Sink(t, o)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			one, other := stageIn(t, next, "1-a", "f1", 3), stageIn(t, next, "1-a", "g1", 4)
			_, err := next.Publish(ctx, sinks.Step{Staged: one.Path, Path: at, After: one.Digest, Size: one.Size})
			must(err)
			_, err = next.Publish(ctx, sinks.Step{Staged: other.Path, Path: gone, After: other.Digest, Size: other.Size})
			must(err)
			_, err = next.SetCurrent(ctx, &sinks.Current{Lineage: "l"}, "")
			must(err)

			// The commit of the paused one, of which a request is on its way.
			two := stageIn(t, next, "1-b", "f2", 30)
			steps := []sinks.Step{{Staged: two.Path, Path: at, Before: one.Digest, After: two.Digest, Size: two.Size}, {Path: gone, Before: other.Digest}}
			ended := make(chan error, 1)
			go func() {
				cur, version, err := paused.Current(ctx)
				for _, s := range steps {
					if err == nil {
						_, err = paused.Publish(ctx, s)
					}
				}
				if err == nil {
					_, err = paused.SetCurrent(ctx, cur, version)
				}
				ended <- err
			}()
			<-held

			// Another one takes over, finishes it, and makes the next commit.
			for _, s := range steps {
				_, err := next.Publish(ctx, s)
				must(err)
			}
			cur, version, err := next.Current(ctx)
			must(err)
			_, err = next.SetCurrent(ctx, cur, version)
			must(err)
			must(next.RemoveStaged(ctx, sinks.StagedRemoval{Generation: 2, Folders: []string{"t"}}))
			three := stageIn(t, next, "2-c", "f3", 300)
			_, err = next.Publish(ctx, sinks.Step{Staged: three.Path, Path: at, Before: two.Digest, After: three.Digest, Size: three.Size})
			must(err)
			four := stageIn(t, next, "2-c", "g3", 40)
			_, err = next.Publish(ctx, sinks.Step{Staged: four.Path, Path: "t/part-00001-2.parquet", After: four.Digest, Size: four.Size})
			must(err)

			close(late)
			if err := <-ended; name == "current.json" && !errors.Is(err, sinks.ErrCurrentChanged) {
				t.Errorf("the paused one ended with %v", err)
			}
			list, err := next.List(ctx, "t")
			if err != nil || len(list) != 2 || list[0].Path != at || list[0].Size != three.Size || list[1].Size != four.Size {
				t.Errorf("there are %+v, %v; want %d and %d bytes", list, err, three.Size, four.Size)
			}
			if cur, _, err := next.Current(ctx); err != nil || cur.Writes != 2 {
				t.Errorf("current.json says %+v, %v", cur, err)
			}
		})
	}
}
