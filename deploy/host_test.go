package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// host answers as the API of comments of GitHub or GitLab does.
type host struct {
	URL    string
	token  string         // that may comment
	author string         // who has it
	refuse map[string]int // method -> status
	merged string         // commit that the request brought

	mu       sync.Mutex
	comments []comment
	requests []string // method, path and query
}

type comment struct {
	id           int
	author, body string
}

// gitHub starts a server for one pull request, gitLab for one merge request.
func gitHub(t *testing.T) *host {
	h := &host{token: "ghs_secret", author: "github-actions[bot]"}
	const all, one, of = "/repos/acme/lake/issues/7/comments", "/repos/acme/lake/issues/comments", "/repos/acme/lake/commits/{sha}/pulls"
	return h.start(t, "Authorization", "Bearer "+h.token, all, one, of, "number", http.MethodPatch, func(c comment) any {
		return map[string]any{"id": c.id, "body": c.body, "user": map[string]any{"login": c.author}}
	})
}

func gitLab(t *testing.T) *host {
	h := &host{token: "glpat-secret", author: "project_9_bot"}
	const all, of = "/projects/9/merge_requests/7/notes", "/projects/9/repository/commits/{sha}/merge_requests"
	return h.start(t, "PRIVATE-TOKEN", h.token, all, all, of, "iid", http.MethodPut, func(c comment) any {
		return map[string]any{"id": c.id, "body": c.body, "system": false, "author": map[string]any{"username": c.author}}
	})
}

func (h *host) start(t *testing.T, header, token, all, one, of, number, update string, show func(comment) any) *host {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /user", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, map[string]any{"username": h.author}) })
	mux.HandleFunc("GET "+all, func(w http.ResponseWriter, r *http.Request) {
		size, page := numberIn(r, "per_page", 30), numberIn(r, "page", 1)
		list := []any{}
		for _, c := range h.comments[min((page-1)*size, len(h.comments)):min(page*size, len(h.comments))] {
			list = append(list, show(c))
		}
		answer(w, 200, list)
	})
	mux.HandleFunc("GET "+of, func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		if r.PathValue("sha") == h.merged {
			list = append(list, map[string]any{number: 6, "merged_at": nil}, map[string]any{number: 7, "merged_at": "2026-03-04T05:06:07Z"})
		}
		answer(w, 200, list)
	})
	mux.HandleFunc("POST "+all, func(w http.ResponseWriter, r *http.Request) {
		c := comment{len(h.comments) + 1, h.author, body(r)}
		h.comments = append(h.comments, c)
		answer(w, 201, show(c))
	})
	mux.HandleFunc(update+" "+one+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil || id > len(h.comments) {
			answer(w, 404, map[string]any{"message": "Not Found"})
			return
		}
		h.comments[id-1].body = body(r)
		answer(w, 200, show(h.comments[id-1]))
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.requests = append(h.requests, r.Method+" "+r.URL.String())
		switch status := h.refuse[r.Method]; {
		case r.Header.Get(header) != token:
			answer(w, 401, map[string]any{"message": "Bad credentials"})
		case status != 0:
			answer(w, status, map[string]any{"message": "Resource not accessible by integration"})
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	h.URL = s.URL
	return h
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func body(r *http.Request) string {
	var in struct{ Body string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return fmt.Sprintf("no JSON: %v", err)
	}
	return in.Body
}

func numberIn(r *http.Request, name string, other int) int {
	if n, err := strconv.Atoi(r.FormValue(name)); err == nil {
		return n
	}
	return other
}

// discuss adds comments of people.
func (h *host) discuss(n int, body string) {
	for range n {
		h.comments = append(h.comments, comment{len(h.comments) + 1, "ana", body})
	}
}

// by returns the comments of the job, in order.
func (h *host) by(author string) (out []string) {
	for _, c := range h.comments {
		if c.author == author {
			out = append(out, c.body)
		}
	}
	return out
}

// wrote counts requests that change something.
func (h *host) wrote() int {
	return len(slices.DeleteFunc(slices.Clone(h.requests), func(r string) bool { return strings.HasPrefix(r, "GET ") }))
}
