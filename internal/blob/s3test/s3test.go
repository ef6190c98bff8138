// Package s3test starts an S3 server for tests: versitygw, over a folder.
//
// It promises a server of its own to each test, on the loopback interface, that
// ends with the test, and never uses the network. The program is looked for in
// RECONCILE_VERSITYGW, in PATH and in the user's cache folder. Without it tests
// are skipped, unless RECONCILE_REQUIRE_S3=1 says that they must run.
// RECONCILE_OTHER_S3 names a second server, which is used as it is.
package s3test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Version is that of versitygw that the tests were written for.
const Version = "v1.8.0"

// Server is an S3 server with one account.
type Server struct {
	Endpoint  string // URL; path style
	AccessKey string
	SecretKey string
	Region    string
	// Dir holds a folder per bucket, with the objects as files. It is empty for
	// a server that was not started here.
	Dir string
	// Cert is a file with the certificate of a server that speaks TLS.
	Cert string

	client  *http.Client
	program string
	args    []string // of the program, beside the usual ones
	stop    func()
}

// Find returns the path of the program.
func Find() (string, error) {
	if p := os.Getenv("RECONCILE_VERSITYGW"); p != "" {
		if _, err := os.Stat(p); err != nil {
			return "", fmt.Errorf("RECONCILE_VERSITYGW: %w", err)
		}
		return p, nil
	}
	if p, err := exec.LookPath("versitygw"); err == nil {
		return p, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "reconcile-ci", "versitygw-"+Version)
	p := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(p); err != nil {
		return "", fmt.Errorf("versitygw is neither in PATH nor in %s; get it with GOBIN=%s go install github.com/versity/versitygw/cmd/versitygw@%s",
			dir, dir, Version)
	}
	return p, nil
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	return startWith(t)
}

func startWith(t testing.TB, args ...string) *Server {
	t.Helper()
	program, err := Find()
	if err != nil {
		if os.Getenv("RECONCILE_REQUIRE_S3") == "1" {
			t.Fatal(err)
		}
		t.Skip("no S3 server to test with: " + err.Error())
	}
	s := &Server{AccessKey: "testuser", SecretKey: "testpassword", Region: "us-east-1", Dir: t.TempDir(),
		Cert: os.Getenv(certEnv), program: program, args: args}
	if s.client, err = trusting(s.Cert); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	for range 5 {
		if err = s.listen(t); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// Kill ends the server as SIGKILL does, in the middle of whatever it does.
func (s *Server) Kill() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Restart starts a server that was killed, with what it holds and where it was.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	var err error
	for range 20 { // somebody may have its port for a moment
		if err = s.start(t); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(err)
}

// Other returns the server that RECONCILE_OTHER_S3 names with a URL that holds
// its keys, as http://user:password@127.0.0.1:9000, and skips the test if there
// is none.
func Other(t testing.TB) *Server {
	t.Helper()
	u, err := url.Parse(os.Getenv("RECONCILE_OTHER_S3"))
	if err != nil {
		t.Fatal("RECONCILE_OTHER_S3 is not a URL") // which would show the keys
	}
	if u.Host == "" {
		t.Skip("RECONCILE_OTHER_S3 names no second server")
	}
	secret, _ := u.User.Password()
	return &Server{Endpoint: u.Scheme + "://" + u.Host, AccessKey: u.User.Username(), SecretKey: secret, Region: "us-east-1"}
}

// listen tries one port: between finding it free and using it somebody else may
// take it.
func (s *Server) listen(t testing.TB) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Endpoint = "http://" + l.Addr().String()
	if s.Cert != "" {
		s.Endpoint = "https://" + l.Addr().String()
	}
	l.Close()
	return s.start(t)
}

// start starts the program at the endpoint.
func (s *Server) start(t testing.TB) error {
	log, err := os.Create(filepath.Join(t.TempDir(), "versitygw.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	_, addr, _ := strings.Cut(s.Endpoint, "://")
	args := append([]string{"--port", addr}, s.args...)
	if s.Cert != "" {
		args = append(args, "--cert", s.Cert, "--key", s.Cert)
	}
	cmd := exec.Command(s.program, append(args, "posix", s.Dir)...)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	s.stop = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	if err := s.ready(ended); err != nil {
		s.Kill()
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("versitygw does not start: %w\n%s", err, text)
	}
	return nil
}

// ready waits for the server to answer.
func (s *Server) ready(ended <-chan struct{}) error {
	client := http.Client{Transport: s.client.Transport, Timeout: time.Second}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		resp, err := client.Get(s.Endpoint)
		if err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-ended:
			return errors.New("it ended at once")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("it does not answer")
}

// Credentials are those of the server's account.
func (s *Server) Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, "")
}

// Client returns a plain client, for what no store does.
func (s *Server) Client() *s3.Client {
	o := s3.Options{BaseEndpoint: aws.String(s.Endpoint), Region: s.Region, Credentials: s.Credentials(), UsePathStyle: true}
	if s.client != nil {
		o.HTTPClient = s.client
	}
	return s3.New(o)
}

// Bucket makes a new bucket and returns its name.
func (s *Server) Bucket(t testing.TB) string {
	t.Helper()
	name := "test-" + strings.ToLower(rand.Text())
	_, err := s.Client().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Env returns the environment in which the AWS SDK finds the account and
// nothing of the machine that the test runs on.
func (s *Server) Env() []string {
	env := []string{
		"AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey, "AWS_REGION=" + s.Region,
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PROFILE=", "AWS_SESSION_TOKEN=", "AWS_CA_BUNDLE=",
	}
	if trust := os.Getenv(trustEnv); trust != "" {
		env = append(env, trust)
	}
	return env
}

// Setenv sets Env for the test's own process, and nothing else of its kind.
func (s *Server) Setenv(t testing.TB) {
	t.Helper()
	for _, kv := range os.Environ() {
		if k, _, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "AWS_") {
			t.Setenv(k, "")
		}
	}
	for _, kv := range s.Env() {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
}
