package s3test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Habit is what other stores, or what stands before them, do otherwise than S3.
type Habit string

// The habits.
const (
	// RewritesAcceptEncoding has GCS, on the way to where signatures are judged.
	RewritesAcceptEncoding Habit = "rewrites Accept-Encoding"
	// DropsAcceptEncoding have some proxies.
	DropsAcceptEncoding Habit = "drops Accept-Encoding"
	// NoChunks have R2, OCI and GCS: they refuse bodies that are aws-chunked.
	NoChunks Habit = "no aws-chunked bodies"
	// NoChecksums have older servers: they refuse the headers of checksums.
	NoChecksums Habit = "no checksums"
	// WeakETags have proxies that compress answers.
	WeakETags Habit = "weak ETags"
	// LoginPage has a network that wants people to log in first.
	LoginPage Habit = "a login page"
	// Empty answers 200, and nothing.
	Empty Habit = "empty answers"
)

// WithHabit starts a server with TLS that passes all requests on to another, which judges
// their signatures, but for its habit. It ends with the test. The client trusts it.
func WithHabit(t testing.TB, endpoint string, h Habit) (url string, client *http.Client) {
	s := httptest.NewTLSServer(habits{h, endpoint, &http.Transport{DisableCompression: true}})
	t.Cleanup(s.Close)
	return s.URL, s.Client()
}

type habits struct {
	habit Habit
	to    string
	next  http.RoundTripper
}

func (h habits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case h.habit == LoginPage:
		fmt.Fprint(w, "<!DOCTYPE html>\n<html><body>Please log in</body></html>")
	case h.habit == Empty:
	case h.habit == NoChunks && strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING"):
		refuseAs(w, http.StatusNotImplemented, "NotImplemented", r.Header.Get("X-Amz-Content-Sha256")+" not implemented")
	case h.habit == NoChecksums && hasChecksum(r.Header):
		refuseAs(w, http.StatusBadRequest, "InvalidArgument", "unsupported header x-amz-checksum")
	default:
		h.pass(w, r)
	}
}

func hasChecksum(header http.Header) bool {
	for name := range header {
		if strings.HasPrefix(name, "X-Amz-Checksum") || name == "X-Amz-Sdk-Checksum-Algorithm" || name == "X-Amz-Trailer" {
			return true
		}
	}
	return false
}

func refuseAs(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

func (h habits) pass(w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	to, err := url.Parse(h.to)
	if err != nil {
		panic(err)
	}
	out.URL.Scheme, out.URL.Host, out.RequestURI = to.Scheme, to.Host, ""
	out.Header.Del("Expect")
	if r.ContentLength == 0 {
		out.Body = nil
	}
	switch h.habit {
	case RewritesAcceptEncoding:
		out.Header.Set("Accept-Encoding", r.Header.Get("Accept-Encoding")+",gzip(gfe)")
	case DropsAcceptEncoding:
		out.Header.Del("Accept-Encoding")
	}
	resp, err := h.next.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	if tag := resp.Header.Get("Etag"); h.habit == WeakETags && tag != "" && r.Method != http.MethodPut {
		w.Header().Set("Etag", "W/"+tag)
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}
