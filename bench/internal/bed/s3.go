package bed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob/s3test"
)

// Remote is an S3 server on this machine that has the export of a place in its
// bucket bench, and an empty bucket lake.
type Remote struct {
	p      *Place
	server s3test.Server
	stop   func()
}

// Serve starts versitygw and uploads the export.
func (p *Place) Serve() (*Remote, error) {
	program, err := s3test.Find()
	if err != nil {
		return nil, err
	}
	r := &Remote{p: p, server: s3test.Server{AccessKey: "testuser", SecretKey: "testpassword", Region: "us-east-1", Dir: p.in("s3")}}
	if err := os.MkdirAll(r.server.Dir, 0o755); err != nil {
		return nil, err
	}
	if err := r.start(program); err != nil {
		return nil, err
	}
	if err := r.upload(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Remote) start(program string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	c := exec.Command(program, "--port", addr, "--keep-alive", "posix", r.server.Dir)
	c.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+r.server.AccessKey, "ROOT_SECRET_KEY="+r.server.SecretKey)
	if err := c.Start(); err != nil {
		return err
	}
	r.server.Endpoint = "http://" + addr
	r.stop = func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(r.server.Endpoint)
		if err == nil {
			return resp.Body.Close()
		}
	}
	r.stop()
	return errors.New("versitygw does not answer")
}

func (r *Remote) upload() error {
	ctx, client := context.Background(), r.server.Client()
	for _, bucket := range []string{"bench", "lake"} {
		if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			return fmt.Errorf("bucket %s: %w", bucket, err)
		}
	}
	root := r.p.in("dumps")
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		bucket, key := "bench", filepath.ToSlash(rel)
		if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: f}); err != nil {
			return fmt.Errorf("uploading %s: %w", key, err)
		}
		return nil
	})
}

// Lake returns a lake on the server. Its state is on the local disk.
func (r *Remote) Lake(name string) (*Lake, error) {
	// The server keeps a bucket as a folder.
	l := &Lake{p: r.p, name: name, env: r.server.Env(), remote: filepath.Join(r.server.Dir, "lake", "curated")}
	return l, l.write(fmt.Sprintf(remote, l.p.b.o.Memory, r.server.Endpoint, r.server.Region))
}

// Close ends the server and removes what it has.
func (r *Remote) Close() error {
	r.stop()
	return os.RemoveAll(r.server.Dir)
}
