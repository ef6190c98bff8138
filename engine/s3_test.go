package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob/s3test"
)

// bucketPair is where the export and the lake of a harness are when they are on
// S3. The server keeps objects as files, so that what it holds can be read.
type bucketPair struct {
	server  *s3test.Server
	gate    *s3test.Gate // that the engine passes, nil for none
	in, out string
	sent    map[string]string // what was uploaded, by key
	// mirror is where the lake of a server that keeps its objects to itself is
	// downloaded to, got the ETags of what is there.
	mirror string
	got    map[string]string
	// stateOnS3 has the state in the bucket of the lake, below "state".
	stateOnS3 bool
}

func newBucketPair(t *testing.T, s *s3test.Server) *bucketPair {
	b := &bucketPair{server: s, in: s.Bucket(t), out: s.Bucket(t), sent: map[string]string{}, got: map[string]string{}}
	if s.Dir == "" {
		b.mirror = t.TempDir()
	}
	return b
}

// gatedPair has two buckets on a server of its own, behind a gate.
func gatedPair(t *testing.T) *bucketPair {
	s := s3test.Start(t)
	s.Setenv(t)
	b := newBucketPair(t, s)
	b.gate = s3test.NewGate(t, s.Endpoint)
	return b
}

func (b *bucketPair) prelude() string {
	endpoint := b.server.Endpoint
	if b.gate != nil {
		endpoint = b.gate.Endpoint
	}
	at := fmt.Sprintf("endpoint = %q\nforce_path_style = true\nregion = %q\n", endpoint, b.server.Region)
	return fmt.Sprintf(`
source "s3" {
  bucket = %q
  prefix = "export"
  manifest_bucket = "csq-rs3-test"
  %s}
reconcile {
  %s
  scratch_dir = "../scratch"
}
sink "parquet" "lake" {
  path = "s3://%s/lake"
  %s}
`, b.in, at, b.state(at), b.out, at)
}

// state is the block of the state, in the bucket of the sink or in a folder.
func (b *bucketPair) state(at string) string {
	if b.stateOnS3 {
		return fmt.Sprintf("state \"s3\" {\nbucket = %q\nprefix = \"state\"\n%s}", b.out, at)
	}
	return `state "local" { path = "../state/state.db" }`
}

// place lets a harness have its export and its lake there.
func (b *bucketPair) place(h *harness) { h.remote, h.prelude = b, b.prelude() }

// folder returns where a sink's files can be read.
func (h *harness) folder(root string) string {
	if rest, ok := strings.CutPrefix(root, "s3://"); ok {
		if h.remote.mirror != "" {
			h.remote.download(h.t)
			return filepath.Join(h.remote.mirror, "lake")
		}
		return filepath.Join(h.remote.server.Dir, filepath.FromSlash(rest))
	}
	return root
}

// download brings the mirror up to date.
func (b *bucketPair) download(t *testing.T) {
	t.Helper()
	client, have := b.server.Client(), map[string]bool{}
	out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &b.out})
	if err != nil || *out.IsTruncated {
		t.Fatal("the lake is too large for these tests, or not there", err)
	}
	for _, o := range out.Contents {
		have[*o.Key] = true
		if b.got[*o.Key] == *o.ETag {
			continue
		}
		file := filepath.Join(b.mirror, filepath.FromSlash(*o.Key))
		obj, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.out, Key: o.Key})
		if err == nil {
			err = os.MkdirAll(filepath.Dir(file), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(obj.Body)
		if err = errors.Join(err, obj.Body.Close(), os.WriteFile(file, data, 0o600), os.Chtimes(file, *o.LastModified, *o.LastModified)); err != nil {
			t.Fatal(err)
		}
		b.got[*o.Key] = *o.ETag
	}
	for key := range b.got {
		if !have[key] {
			delete(b.got, key)
			if err := os.Remove(filepath.Join(b.mirror, filepath.FromSlash(key))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// lake returns where the files of the sink are that every harness has.
func (h *harness) lake() string {
	if h.remote == nil {
		return filepath.Join(h.dir, "lake")
	}
	return h.folder("s3://" + h.remote.out + "/lake")
}

// upload makes the export in the bucket what it is in a folder.
func (b *bucketPair) upload(t *testing.T, dir string) {
	t.Helper()
	if b == nil {
		return
	}
	client, have := b.server.Client(), map[string]bool{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		key := "export/" + filepath.ToSlash(rel)
		have[key] = true
		if was, ok := b.sent[key]; ok && was == string(data) {
			return nil
		}
		b.sent[key] = string(data)
		_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.in, Key: &key, Body: bytes.NewReader(data)})
		return err
	})
	for key := range b.sent {
		if !have[key] && err == nil {
			delete(b.sent, key)
			_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.in, Key: &key})
		}
	}
	if err != nil && !strings.Contains(err.Error(), "no such file") {
		t.Fatal(err)
	}
}

// uploads lists the multipart uploads that nobody finished in the lake's bucket.
func (b *bucketPair) uploads(t *testing.T) []string {
	t.Helper()
	if b == nil {
		return nil
	}
	out, err := b.server.Client().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &b.out})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// abortAll ends them.
func (b *bucketPair) abortAll(t *testing.T) {
	t.Helper()
	if b == nil {
		return
	}
	client := b.server.Client()
	out, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &b.out})
	for _, u := range out.Uploads {
		if err == nil {
			_, err = client.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &b.out, Key: u.Key, UploadId: u.UploadId})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// settle waits for what the server still does for a client that died.
func (b *bucketPair) settle() {
	if b != nil {
		time.Sleep(100 * time.Millisecond)
	}
}

// TestMasterPropertyOnS3 plays random worlds from one bucket to another.
func TestMasterPropertyOnS3(t *testing.T) { masterPropertyOn(t, s3test.Start(t)) }

// TestMasterPropertyOverTLS plays one of them over TLS.
func TestMasterPropertyOverTLS(t *testing.T) { s3test.OverTLS(t, "^TestMasterPropertyOnS3$/^seed=4$") }

// TestMasterPropertyOnOtherS3 does so on the server that the environment names.
func TestMasterPropertyOnOtherS3(t *testing.T) { masterPropertyOn(t, s3test.Other(t)) }

func masterPropertyOn(t *testing.T, s *s3test.Server) {
	s.Setenv(t)
	for i := range max(*flagWorlds/15, 1) {
		seed := *flagSeed + 3*int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed, newBucketPair(t, s).place, nil)
		})
	}
}
