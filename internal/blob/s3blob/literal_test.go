package s3blob_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"reconcile/internal/blob"
)

// TestLiteralKeys asks for objects whose keys have empty names, by these very keys.
func TestLiteralKeys(t *testing.T) {
	asked := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.EscapedPath()] = true
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Content-Length", "1")
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, "x")
		}
	}))
	defer srv.Close()
	o := fake(t)
	o.Endpoint = srv.URL
	s := open(t, o)
	for _, key := range []string{"/a", "a//b", "a///b c"} {
		data, got, err := blob.ReadAll(ctx, s, key, 10)
		if err != nil || string(data) != "x" || got.Key != key {
			t.Errorf("%q: %q, %+v, %v", key, data, got, err)
		}
		if _, err := s.Stat(ctx, key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
		if _, err := s.Create(ctx, key, blob.Cond{}); err == nil {
			t.Errorf("%q can be written", key)
		}
	}
	for _, path := range []string{"/bucket//a", "/bucket/a//b", "/bucket/a///b%20c"} {
		if !asked[path] {
			t.Errorf("nobody asked for %s: %v", path, asked)
		}
	}
}
