package s3blob_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

// sts is a token service that gives everybody a role.
type sts struct {
	*httptest.Server
	mu   sync.Mutex
	body string
}

func (s *sts) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body
}

func newSTS(t *testing.T) *sts {
	s := &sts{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.body = string(body)
		s.mu.Unlock()
		fmt.Fprint(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
			`<AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>`+
			`<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestWriteAttributes looks at what each way of writing asks for.
func TestWriteAttributes(t *testing.T) {
	o := fakeParts(t)
	o.Write = s3blob.Write{SSE: "aws:kms", KMSKeyID: "key-1", BucketKey: true, ACL: "bucket-owner-full-control",
		StorageClass: "STANDARD_IA", Tags: map[string]string{"team": "data & co", "a": "b"}}
	seen := map[string]http.Header{}
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		seen[op] = r.Header.Clone()
		return next.Do(r)
	})
	s := open(t, o)
	_, err := blob.Put(ctx, s, "a", []byte("x"), blob.Cond{})
	if err == nil {
		_, err = s.Move(ctx, "a", "b", blob.Cond{})
	}
	if err == nil {
		_, err = blob.Put(ctx, s, "c", big[:150<<10], blob.Cond{})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{"PutObject", "CopyObject", "CreateMultipartUpload"} {
		for k, want := range map[string]string{
			"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-1",
			"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true", "X-Amz-Acl": "bucket-owner-full-control",
			"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Tagging": "a=b&team=data+%26+co",
		} {
			if got := seen[op].Get(k); got != want {
				t.Errorf("%s: %s is %q, want %q", op, k, got, want)
			}
		}
	}
	if got := seen["CopyObject"].Get("X-Amz-Tagging-Directive"); got != "REPLACE" {
		t.Errorf("the tagging directive is %q", got)
	}
	for _, op := range []string{"PutObject", "UploadPart"} {
		if h := seen[op]; h.Get("X-Amz-Checksum-Crc32c") == "" && h.Get("X-Amz-Trailer") != "x-amz-checksum-crc32c" {
			t.Errorf("%s has no checksum: %v", op, h)
		}
	}
}

// TestChecksums asks a real server what it verified.
func TestChecksums(t *testing.T) {
	srv := s3test.Start(t)
	for name, field := range map[string]func(*s3.HeadObjectOutput) *string{
		"crc32c":    func(h *s3.HeadObjectOutput) *string { return h.ChecksumCRC32C },
		"crc64nvme": func(h *s3.HeadObjectOutput) *string { return h.ChecksumCRC64NVME },
		"sha256":    func(h *s3.HeadObjectOutput) *string { return h.ChecksumSHA256 },
		"none":      nil,
	} {
		o := realParts(t, srv)
		o.Write.Checksum = name
		s := open(t, o)
		for _, data := range [][]byte{[]byte("small"), big} {
			if _, err := blob.Put(ctx, s, "k", data, blob.Cond{}); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			h, err := srv.Client().HeadObject(ctx, &s3.HeadObjectInput{Bucket: &o.Bucket, Key: aws.String("k"), ChecksumMode: "ENABLED"})
			if err != nil || field != nil && aws.ToString(field(h)) == "" {
				t.Errorf("%s: the server has no checksum (%v)", name, err)
			}
		}
	}
}

func uploads(t *testing.T, srv *s3test.Server, bucket string) []string {
	t.Helper()
	out, err := srv.Client().ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// TestRemoveLeftoversMoves gives up the uploads where objects are moved to, and no others.
func TestRemoveLeftoversMoves(t *testing.T) {
	srv := s3test.Start(t)
	for _, prefix := range []string{"", "lake"} {
		o := real(t, srv)
		o.Prefix = prefix
		s := open(t, o)
		all := []string{"_reconcile/staging/1-a/f", "_reconcile/staging/9-b/f", "other/part-00000.parquet", "t/part-00000.parquet", "t2/part-00000.parquet", "u/d=1/part-00000.parquet"}
		for i, key := range all {
			all[i] = blob.Join(prefix, key)
			if _, err := srv.Client().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &o.Bucket, Key: &all[i]}); err != nil {
				t.Fatal(err)
			}
		}
		before := s.Stats().Requests["ListMultipartUploads"]
		if err := s.RemoveLeftovers(ctx, blob.Leftovers{Prefix: "_reconcile", Protect: blob.Below("_reconcile/staging/9-b"), Moved: []string{"t", "u"}}); err != nil {
			t.Fatal(err)
		}
		want := []string{all[1], all[2], all[4]}
		if got := uploads(t, srv, o.Bucket); !slices.Equal(got, want) {
			t.Errorf("in %q: there are uploads at %q, want %q", prefix, got, want)
		}
		if n := s.Stats().Requests["ListMultipartUploads"] - before; n != 1 {
			t.Errorf("%d listings of uploads, want one", n)
		}
	}
}

// TestLeftovers is about multipart uploads and probes of a process that died.
func TestLeftovers(t *testing.T) {
	srv := s3test.Start(t)
	o := realParts(t, srv)
	o.Prefix = "lake"
	for _, key := range []string{"lake/st/a/x", "lake/st/b/y", "lake/stay/z", "lake/t/f", "other/st/a"} {
		_, err := srv.Client().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &o.Bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
	}
	temp := "lake/st/" + blob.TempName()
	if _, err := srv.Client().PutObject(ctx, &s3.PutObjectInput{Bucket: &o.Bucket, Key: &temp, Body: strings.NewReader("")}); err != nil {
		t.Fatal(err)
	}
	s := open(t, o)
	if err := s.RemoveLeftovers(ctx, blob.Leftovers{Prefix: "st", Protect: blob.Below("st/b")}); err != nil {
		t.Fatal(err)
	}
	if got, want := uploads(t, srv, o.Bucket), []string{"lake/st/b/y", "lake/stay/z", "lake/t/f", "other/st/a"}; !slices.Equal(got, want) {
		t.Errorf("there are uploads at %q, want %q", got, want)
	}
	if _, err := srv.Client().HeadObject(ctx, &s3.HeadObjectInput{Bucket: &o.Bucket, Key: &temp}); err == nil {
		t.Error("the probe is still there")
	}
	// A copy in parts ends those of an earlier attempt at the same key.
	if _, err := blob.Put(ctx, s, "n", big, blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Move(ctx, "n", "t/f", blob.Absent()); err != nil {
		t.Fatal(err)
	}
	if got, want := uploads(t, srv, o.Bucket), []string{"lake/st/b/y", "lake/stay/z", "other/st/a"}; !slices.Equal(got, want) {
		t.Errorf("there are uploads at %q, want %q", got, want)
	}
}

// TestFailedUploadIsAborted also when the reason is the end of the context.
func TestFailedUploadIsAborted(t *testing.T) {
	srv := s3test.Start(t)
	o := realParts(t, srv)
	o.Retry.Attempts = 2
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		if op == "UploadPart" {
			return answer(r, 500, "InternalError", "no"), nil
		}
		return next.Do(r)
	})
	if _, err := blob.Put(ctx, open(t, o), "k", append(big, big...), blob.Cond{}); err == nil {
		t.Error("want an error")
	}
	if got := uploads(t, srv, o.Bucket); len(got) != 0 {
		t.Errorf("uploads stay at %q", got)
	}
}

// TestForeignKeys lists what no store would write.
func TestForeignKeys(t *testing.T) {
	page := func(token, next string, keys ...string) string {
		var b strings.Builder
		b.WriteString("<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>" + fmt.Sprint(next != "") + "</IsTruncated>")
		if next != "" && next != "?" {
			b.WriteString("<NextContinuationToken>" + next + "</NextContinuationToken>")
		}
		for _, k := range keys {
			size := 5
			if strings.HasSuffix(k, "/") {
				size = 0
			}
			fmt.Fprintf(&b, `<Contents><Key>%s</Key><Size>%d</Size><ETag>&quot;e&quot;</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`, k, size)
		}
		return b.String() + "</ListBucketResult>"
	}
	for _, c := range []struct {
		name  string
		pages []string
		want  []string
		fails string
	}{
		{"hostile", []string{page("", "", "t//f.parquet", "t/../x", "t/a%01b", "t/a+b%2Bc", "t/sub/")},
			[]string{"t/../x", "t//f.parquet", "t/a\x01b", "t/a b+c"}, ""},
		{"folder only", []string{page("", "", "t/")}, nil, ""},
		{"nothing", []string{page("", "")}, nil, "no such folder"},
		{"pages", []string{page("", "1", "t/a"), page("1", "2"), page("2", "", "t/b")}, []string{"t/a", "t/b"}, ""},
		{"no token", []string{page("", "?", "t/a"), page("", "", "t/b")}, []string{"t/a", "t/b"}, ""},
		{"no token and no key", []string{page("", "?")}, nil, "does not say where"},
		{"badly encoded", []string{page("", "", "t/%zz")}, nil, "not encoded"},
		{"half", []string{"<ListBucketResult><Contents>", page("", "", "t/a")}, []string{"t/a"}, ""},
	} {
		o := fake(t)
		n := 0
		wrap(&o, func(_ aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
			a := answer(r, 200, "", "")
			a.Body = io.NopCloser(strings.NewReader(c.pages[min(n, len(c.pages)-1)]))
			a.ContentLength = -1
			n++
			return a, nil
		})
		list, err := open(t, o).List(ctx, "t")
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, want %q", c.name, err, c.fails)
			}
			continue
		}
		var keys []string
		for _, k := range list {
			keys = append(keys, k.Key)
		}
		slices.Sort(c.want)
		if err != nil || !slices.Equal(keys, c.want) {
			t.Errorf("%s: listed %q, %v, want %q", c.name, keys, err, c.want)
		}
	}
}

func TestListAfter(t *testing.T) {
	for name, o := range map[string]s3blob.Options{"fake": fake(t), "versitygw": real(t, s3test.Start(t))} {
		o.Prefix, o.ListPage = "p", 3
		s := open(t, o)
		for i := range 10 {
			if _, err := blob.Put(ctx, s, fmt.Sprintf("m/%02d", i), nil, blob.Cond{}); err != nil {
				t.Fatal(err)
			}
		}
		before := s.Stats().Requests["ListObjectsV2"]
		list, err := s.ListAfter(ctx, "m", "m/03")
		if err != nil || len(list) != 6 || list[0].Key != "m/04" || list[5].Key != "m/09" {
			t.Errorf("%s: %v, %v", name, list, err)
		}
		if n := s.Stats().Requests["ListObjectsV2"] - before; n != 2 {
			t.Errorf("%s: %d requests for two pages", name, n)
		}
		if list, err := s.ListAfter(ctx, "m", "m/09"); err != nil || len(list) != 0 {
			t.Errorf("%s: after the last: %v, %v", name, list, err)
		}
	}
}

func TestKeysOfS3(t *testing.T) {
	o := fake(t)
	o.Prefix = "p"
	s := open(t, o)
	for _, key := range []string{"a\xff", strings.Repeat("x", 1023)} {
		var ke *blob.KeyError
		if _, err := s.Create(ctx, key, blob.Cond{}); !errors.As(err, &ke) {
			t.Errorf("%q: %v", key[:2], err)
		}
	}
	key := strings.Repeat("x", 1022)
	if _, err := blob.Put(ctx, s, key, []byte("x"), blob.Cond{}); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"a b", "a+b", "a%2Fb", "ü/?&=#", "a'\"<>\\"} {
		if _, err := blob.Put(ctx, s, "from", []byte(key), blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		_, err := s.Move(ctx, "from", key, blob.Absent())
		if err == nil {
			_, err = s.Move(ctx, key, "to/"+key, blob.Cond{})
		}
		if data, _, rerr := blob.ReadAll(ctx, s, "to/"+key, 100); err != nil || string(data) != key {
			t.Errorf("%q: %v, %v", key, err, rerr)
		}
	}
}

// TestRequestsAreBounded counts what reading costs.
func TestRequestsAreBounded(t *testing.T) {
	o := fake(t)
	s := open(t, o)
	data := bytes.Repeat([]byte("0123456789abcdef"), 40<<20/16)
	for key, d := range map[string][]byte{"small": data[:1000], "empty": nil, "large": data} {
		if _, err := blob.Put(ctx, s, key, d, blob.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	cost := func(f func() error) (int64, int64) {
		t.Helper()
		before := s.Stats()
		if err := f(); err != nil {
			t.Error(err)
		}
		after := s.Stats()
		return after.Total() - before.Total(), after.Read - before.Read
	}
	if n, _ := cost(func() error { _, _, err := blob.ReadAll(ctx, s, "small", 1<<20); return err }); n != 1 {
		t.Errorf("a small object costs %d requests", n)
	}
	n, read := cost(func() error {
		h, err := s.Open(ctx, "large")
		if err != nil {
			return err
		}
		defer h.Close()
		var got bytes.Buffer
		_, err = io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{io.NewSectionReader(h, 0, h.Object().Size)}, make([]byte, 10_000))
		if !bytes.Equal(got.Bytes(), data) {
			return errors.New("read something else")
		}
		return err
	})
	if n > 10 || read != int64(len(data)) {
		t.Errorf("reading 40 MiB in small steps costs %d requests and %d bytes", n, read)
	}
	n, read = cost(func() error {
		h, err := s.Open(ctx, "large")
		if err != nil {
			return err
		}
		defer h.Close()
		p := make([]byte, 8)
		_, err = h.ReadAt(p, 39<<20)
		if !bytes.Equal(p, data[39<<20:39<<20+8]) {
			return errors.New("read something else")
		}
		return err
	})
	if n != 2 || read > 256<<10 {
		t.Errorf("a small read somewhere costs %d requests and %d bytes", n, read)
	}
}

// TestConcurrentReads reads one handle from everywhere at once.
func TestConcurrentReads(t *testing.T) {
	o := fake(t)
	o.ReadAhead, o.Concurrency = 1<<20, 3
	s := open(t, o)
	data := make([]byte, 8<<20)
	for i := range data {
		data[i] = byte(i>>9 ^ i)
	}
	if _, err := blob.Put(ctx, s, "k", data, blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	h, err := s.Open(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			off := g << 20
			for i := range 60 {
				n := []int{10, 5000, 300 << 10, 3 << 20}[(g+i)%4]
				p := make([]byte, n)
				got, err := h.ReadAt(p, int64(off))
				end := min(off+n, len(data))
				if !bytes.Equal(p[:got], data[off:end]) || err != nil && (err != io.EOF || end != len(data)) {
					t.Errorf("%d bytes at %d: got %d, %v", n, off, got, err)
					return
				}
				if off += got; i%7 == 0 || off >= len(data) {
					off = (off * 31) % len(data)
				}
			}
		})
	}
	wg.Wait()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := h.ReadAt(make([]byte, 1), 4<<20); err == nil {
		t.Error("a closed handle reads")
	}
}

// TestClockOfTheAnswer refuses the first attempt of each request, at another time
// than the second one is answered: the clock is that of the answer that counts.
func TestClockOfTheAnswer(t *testing.T) {
	o := fake(t)
	put, err := blob.Put(ctx, open(t, o), "k", []byte("x"), blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	want := time.Now().UTC().Truncate(time.Second).Add(2 * time.Minute) // within what signatures allow
	n := 0
	wrap(&o, func(next aws.HTTPClient, op string, r *http.Request) (*http.Response, error) {
		resp, err := next.Do(r)
		if err != nil {
			return nil, err
		}
		n++
		resp.Header.Set("Date", want.Format(http.TimeFormat))
		if n%2 == 1 {
			resp.StatusCode = http.StatusServiceUnavailable
			resp.Header.Set("Date", want.Add(-time.Minute).Format(http.TimeFormat))
		}
		return resp, nil
	})
	s := open(t, o)
	st, err := s.Stat(ctx, "k")
	if err != nil || !st.Now.Equal(want) || st.Pin != put.Pin {
		t.Errorf("stat: %+v, %v, want %s", st, err, want)
	}
	_, got, err := blob.ReadAll(ctx, s, "k", 10)
	if err != nil || !got.Now.Equal(want) || got.ModTime.After(time.Now()) {
		t.Errorf("read: %+v, %v, want %s", got, err, want)
	}
	if n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

// TestListRange lists what lies between two keys, and asks for no page behind.
func TestListRange(t *testing.T) {
	for name, o := range map[string]s3blob.Options{"fake": fake(t), "versitygw": real(t, s3test.Start(t))} {
		t.Run(name, func(t *testing.T) {
			o.Prefix, o.ListPage = "deep/er", 2
			s := open(t, o)
			for _, key := range []string{"a/1", "b/1", "b/2", "c", "d/1", "d/2", "d0", "e/1", "e/2", "e/3"} {
				if _, err := blob.Put(ctx, s, key, nil, blob.Cond{}); err != nil {
					t.Fatal(err)
				}
			}
			before := s.Stats().Total()
			list, err := s.ListRange(ctx, "b", "d0")
			var keys []string
			for _, o := range list {
				keys = append(keys, o.Key)
			}
			if err != nil || !slices.Equal(keys, []string{"b/1", "b/2", "c", "d/1", "d/2"}) {
				t.Errorf("%q, %v", keys, err)
			}
			if n := s.Stats().Total() - before; n != 3 {
				t.Errorf("%d requests", n)
			}
			if list, err := s.ListRange(ctx, "x", "y"); err != nil || len(list) > 0 {
				t.Errorf("where nothing is: %v, %v", list, err)
			}
		})
	}
}
