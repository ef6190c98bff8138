package s3test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
)

// Then says what becomes of the connection of a request that a gate holds back, and of
// the requests after it.
type Then int

const (
	// Wait: all of them wait, as those of a machine that stands still.
	Wait Then = iota
	// Dead: all connections are reset, as if the machine had lost its network when the
	// request was on its way.
	Dead
	// Repeat: its connection is reset and all others pass, as if the request had been
	// lost and sent again.
	Repeat
)

// Held is a request that a gate holds back, or is going to.
type Held struct {
	g       *Gate
	pick    func(*http.Request) bool
	left    int
	then    Then
	reached chan struct{}
	open    chan struct{}
	request *http.Request // once it is held
	body    []byte
}

// Hold holds back the n-th request, counted from 1, of those that pick chooses from now
// on. There is one at a time.
func (g *Gate) Hold(n int, then Then, pick func(*http.Request) bool) *Held {
	h := &Held{g: g, pick: pick, left: n, then: then, reached: make(chan struct{}), open: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = h
	return h
}

// Reached is closed when the request is there.
func (h *Held) Reached() <-chan struct{} { return h.reached }

// Request is what is held back, for who knows that it was reached.
func (h *Held) Request() *http.Request { return h.request }

// Go lets those that wait go on, and all others pass.
func (h *Held) Go() {
	h.g.mu.Lock()
	defer h.g.mu.Unlock()
	if h.g.held == h {
		h.g.held = nil
	}
	close(h.open)
}

// Send sends the request, for which nobody waits any more, to the server, and returns the
// answer.
func (h *Held) Send(t testing.TB) (status int, body string) {
	t.Helper()
	r := h.request.Clone(context.Background())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(h.body)), int64(len(h.body))
	resp, err := h.g.send(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// hold reports whether a request goes no further.
func (g *Gate) hold(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	h := g.held
	if h == nil {
		g.mu.Unlock()
		return false
	}
	first := false
	if h.request == nil && h.pick(r) {
		if h.left--; h.left == 0 {
			h.request, first = r, true
		}
	}
	begun := h.request != nil
	g.mu.Unlock()
	switch {
	case !begun:
		return false
	case h.then == Wait:
		if first {
			close(h.reached)
		}
		select {
		case <-h.open:
			return false
		case <-r.Context().Done():
			return true
		}
	case first:
		h.body, _ = io.ReadAll(r.Body)
		close(h.reached)
		reset(w, nil)
		return true
	case h.then == Dead:
		reset(w, nil)
		return true
	}
	return false
}
