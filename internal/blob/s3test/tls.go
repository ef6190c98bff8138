package s3test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// How OverTLS tells a process of tests what its servers shall do.
const (
	certEnv  = "RECONCILE_S3_CERT"  // serve TLS with the certificate and the key of this file
	trustEnv = "RECONCILE_S3_TRUST" // the variable by which clients trust it, as NAME=VALUE
)

// OverTLS runs tests of the same binary again, those that a pattern names, in
// processes whose servers speak TLS: one for each way of trusting them. Nothing
// of the machine's environment reaches these.
func OverTLS(t *testing.T, pattern string) {
	if os.Getenv(certEnv) != "" {
		t.Skip("it runs over TLS already")
	}
	cert := Certificate(t)
	profile := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(profile, []byte("[default]\nca_bundle = "+cert+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, trust := range map[string]string{"by AWS_CA_BUNDLE": "AWS_CA_BUNDLE=" + cert,
		"by SSL_CERT_FILE": "SSL_CERT_FILE=" + cert, "by ca_bundle of a profile": "AWS_CONFIG_FILE=" + profile} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.v", "-test.count=1")
			cmd.Env = append(Environ(), certEnv+"="+cert, trustEnv+"="+trust, trust)
			out, err := cmd.CombinedOutput()
			text := string(out)
			switch {
			case err != nil || strings.Contains(text, "no tests to run"):
				t.Fatalf("%v\n%s", err, text)
			case strings.Contains(text, "--- SKIP"):
				t.Skip(text)
			}
		})
	}
}

// Environ is the environment of the process without what the AWS SDK, TLS and
// proxies go by: the machine that tests run on has no say in their outcome.
func Environ() []string {
	var out []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !ofTheMachine(name) {
			out = append(out, kv)
		}
	}
	return out
}

func ofTheMachine(name string) bool {
	return strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "SSL_CERT_") || strings.HasSuffix(strings.ToUpper(name), "_PROXY")
}

// Certificate makes a certificate for the loopback interface that vouches for
// itself. Its key lies in the same file.
func Certificate(t testing.TB) (file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an S3 server of the tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	file = filepath.Join(t.TempDir(), "server.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// trusting returns a client for the tests' own requests to a server, which has a
// certificate or speaks no TLS.
func trusting(cert string) (*http.Client, error) {
	if cert == "" {
		return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}, nil
	}
	text, err := os.ReadFile(cert)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New(cert + " holds no certificate")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 16}}, nil
}
