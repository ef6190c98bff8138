package s3blob_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3test"
)

// TestBareEnvironment reaches a server in an environment that says nothing at
// all to the SDK.
func TestBareEnvironment(t *testing.T) {
	bare(t)
	s := open(t, fake(t))
	if _, err := blob.Put(ctx, s, "k", []byte("x"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(ctx, "k"); err != nil {
		t.Fatal(err)
	}
}

// bare takes away what the environment says to the SDK.
func bare(t *testing.T) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}

// TestNobodyAnswers: an endpoint that is wrong is said soon, and what to check.
func TestNobodyAnswers(t *testing.T) {
	bare(t)
	srv := s3test.Start(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := "http://" + free.Addr().String()
	free.Close()
	for endpoint, want := range map[string]string{
		nowhere:                            "nothing answers at " + nowhere + ": check endpoint; dial tcp",
		"http://no-such-host.invalid:7070": "nothing answers at http://no-such-host.invalid:7070: check endpoint; dial tcp",
		strings.Replace(srv.Endpoint, "http:", "https:", 1): "does not speak TLS: check endpoint",
	} {
		o := real(t, srv)
		o.Endpoint, o.Retry = endpoint, blob.Retry{}
		began := time.Now()
		_, err := open(t, o).List(ctx, "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "StatusCode") {
			t.Errorf("%s: %v", endpoint, err)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%s: it took %s", endpoint, d)
		}
	}
}

// TestServerAway: a server that has answered is waited for.
func TestServerAway(t *testing.T) {
	bare(t)
	srv := s3test.Start(t)
	o := real(t, srv)
	o.Retry = blob.Retry{}
	s := open(t, o)
	if _, err := blob.Put(ctx, s, "k", []byte("x"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	srv.Kill()
	time.AfterFunc(3*time.Second, func() { srv.Restart(t) })
	if _, err := s.Stat(ctx, "k"); err != nil {
		t.Error(err)
	}
}

// TestSilentSDK: without credentials the SDK asks the machine for some, and warns on
// standard error, where nothing but our messages belongs.
func TestSilentSDK(t *testing.T) {
	bare(t)
	machine := httptest.NewServer(http.NotFoundHandler())
	defer machine.Close()
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.URL)
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = was }()
	o := real(t, s3test.Start(t))
	o.Credentials = nil
	if _, err := open(t, o).List(ctx, ""); err == nil || !strings.Contains(err.Error(), "there are no usable credentials") {
		t.Error(err)
	}
	if said, err := os.ReadFile(file.Name()); err != nil || len(said) > 0 {
		t.Errorf("%v, on standard error: %s", err, said)
	}
}

// TestOverTLS runs the suite against servers with TLS.
func TestOverTLS(t *testing.T) { s3test.OverTLS(t, "^TestVersitygwConforms$/^plain$") }

// TestUntrustedServer is about a certificate that nobody vouches for: it is not
// asked again and again, and the message says what to set.
func TestUntrustedServer(t *testing.T) {
	bare(t)
	t.Setenv("RECONCILE_S3_CERT", s3test.Certificate(t))
	s := open(t, real(t, s3test.Start(t)))
	for i, err := range refusals(s) {
		if err == nil || blob.Transient(err) || !strings.Contains(err.Error(), "set AWS_CA_BUNDLE") {
			t.Errorf("operation %d: %v", i, err)
		}
	}
	if n := s.Stats().Total(); n > 10 {
		t.Errorf("%d requests", n)
	}
}
