package chain_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/state/internal/chain"
)

var ctx = context.Background()

var quick = blob.Retry{Attempts: 4, Wait: time.Millisecond}

// place is where a chain of the tests lies.
type place struct {
	store blob.Store
	dir   string // its files
	// options lead to it on S3.
	options s3blob.Options
}

func local(t testing.TB) place {
	dir := t.TempDir()
	s, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return place{store: s, dir: dir}
}

// onS3 is a place on a server, reached through a gate if that is not nil.
func onS3(t testing.TB, srv *s3test.Server, change func(*s3blob.Options)) place {
	o := s3blob.Options{Bucket: srv.Bucket(t), Prefix: "states/one", Endpoint: srv.Endpoint, Region: srv.Region,
		ForcePathStyle: true, Retry: quick, Credentials: srv.Credentials()}
	if change != nil {
		change(&o)
	}
	return place{store: openS3(t, o), dir: filepath.Join(srv.Dir, o.Bucket, o.Prefix), options: o}
}

// over is the same place, as a process of its own reaches it by another network.
func (p place) over(t testing.TB, n network) place {
	o := p.options
	if n != nil {
		o.WrapTransport = func(next aws.HTTPClient) aws.HTTPClient { return through{next, n} }
	}
	return place{store: openS3(t, o), dir: p.dir, options: o}
}

func openS3(t testing.TB, o s3blob.Options) *s3blob.Store {
	s, err := s3blob.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p place) chain(t testing.TB, o chain.Options) *chain.Chain {
	o.Dir, o.Retry = t.TempDir(), quick
	return chain.New(p.store, o)
}

// everywhere runs a test on a folder and on a server.
func everywhere(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("folder", func(t *testing.T) { test(t, local(t)) })
	t.Run("S3", func(t *testing.T) { test(t, onS3(t, s3test.Start(t), nil)) })
}

// content is the state of the tests: the payloads of all records, in order.
type content struct {
	At       chain.Position
	Payloads []string
}

func (s *content) encode() []byte {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(data)
	return append(sum[:], data...)
}

// reader is a reader with its state, which is its cache.
type reader struct {
	c *chain.Chain
	s content
}

// use begins with a checkpoint.
func (r *reader) use(ctx context.Context, k chain.Checkpoint) error {
	h, err := r.c.OpenCheckpoint(ctx, k)
	if err != nil {
		return err
	}
	defer h.Close()
	data := make([]byte, h.Object().Size)
	if _, err := h.ReadAt(data, 0); err != nil && err != io.EOF {
		return err
	}
	if len(data) < sha256.Size || sha256.Sum256(data[sha256.Size:]) != [32]byte(data[:sha256.Size]) {
		return r.c.DamagedCheckpoint(k, "its checksum is wrong")
	}
	r.s = content{}
	if err := json.Unmarshal(data[sha256.Size:], &r.s); err != nil {
		return err
	}
	if r.s.At != k.Position {
		return r.c.DamagedCheckpoint(k, "it is that of another record")
	}
	return nil
}

// load brings the reader to the head.
func (r *reader) load(ctx context.Context) (*chain.Loaded, error) {
	l, err := r.c.Load(ctx, r.s.At, r.use)
	if err != nil {
		return nil, err
	}
	if !l.Cached && l.From == nil {
		r.s = content{}
	}
	for _, rec := range l.Records {
		data, err := r.c.Payload(ctx, rec)
		if err != nil {
			r.s = content{}
			return nil, err
		}
		r.s.Payloads = append(r.s.Payloads, string(data))
	}
	r.s.At = l.Head
	return l, nil
}

func (r *reader) checkpoint(t testing.TB) {
	t.Helper()
	data := r.s.encode()
	if err := r.c.PutCheckpoint(ctx, r.s.At, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func next(at chain.Position, payload string) *chain.Record {
	return &chain.Record{Serial: at.Serial + 1, Prev: at.Digest, Lineage: "L", Generation: 7, Time: time.Unix(1700000000, 5).UTC(),
		Program: "reconcile 1", Command: "apply", Host: "h", Payload: []byte(payload)}
}

// append appends payloads to what the reader has, as the only writer.
func (r *reader) append(t testing.TB, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		rec := next(r.s.At, p)
		if out, _, err := r.c.Append(ctx, rec, nil); out != chain.Done || err != nil {
			t.Fatalf("append %q: %v, %v", p, out, err)
		}
		r.s.At, r.s.Payloads = rec.Position(), append(r.s.Payloads, p)
	}
}

// wantState loads with an empty cache and compares.
func wantState(t testing.TB, c *chain.Chain, want []string) *chain.Loaded {
	t.Helper()
	r := &reader{c: c}
	l, err := r.load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.s.Payloads, want) {
		t.Fatalf("the state is %q, want %q", r.s.Payloads, want)
	}
	return l
}

// age makes files two days old.
func (p place) age(t testing.TB, folder string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(p.dir, folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		then := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(filepath.Join(p.dir, folder, f.Name()), then, then); err != nil {
			t.Fatal(err)
		}
	}
}

// names lists a folder.
func (p place) names(t testing.TB, folder string) []string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(p.dir, folder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// network stands between a store and a server.
type network func(next aws.HTTPClient, r *http.Request) (*http.Response, error)

type through struct {
	next aws.HTTPClient
	do   network
}

func (n through) Do(r *http.Request) (*http.Response, error) { return n.do(n.next, r) }

// refuseDeletes is a rule of a gate.
func refuseDeletes(_ int, r *http.Request) s3test.Fault {
	if r.Method == http.MethodDelete {
		return s3test.Denied
	}
	return s3test.NoFault
}

// isCreate reports whether a request is that for a log entry.
func isCreate(r *http.Request) bool {
	return r.Method == http.MethodPut && bytes.Contains([]byte(r.URL.Path), []byte("/log/"))
}

// hold is a request that the network holds back.
type hold struct {
	r    *http.Request
	body []byte
}

func held(r *http.Request) (*hold, error) {
	if r.Body == nil {
		return &hold{r.Clone(context.Background()), nil}, nil
	}
	body, err := io.ReadAll(r.Body)
	return &hold{r.Clone(context.Background()), body}, err
}

// release lets the request reach the server.
func (h *hold) release(t testing.TB) int {
	t.Helper()
	h.r.Body, h.r.ContentLength = io.NopCloser(bytes.NewReader(h.body)), int64(len(h.body))
	resp, err := http.DefaultTransport.RoundTrip(h.r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint("p", i))
	}
	return out
}
