package s3blob_test

import (
	"os"
	"strings"
	"testing"

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
