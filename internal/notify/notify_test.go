package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func message() *Message {
	m, _ := Message{Folder: "/srv/shop", Command: "apply", ExitCode: 13, Events: []Event{{Event: HoldBegan, Table: "checkout", Dump: 43, Guard: "empty_resync", Accept: "checkout@43", Reason: "a\nb\u202e"}, {Event: Guarded}}}.For("x", nil)
	return &m
}

func decoded(t *testing.T, data []byte) *Message {
	t.Helper()
	var m Message
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return &m
}

func TestFor(t *testing.T) {
	var m Message
	for i := range 3 * most {
		m.Events = append(m.Events, Event{Event: HoldBegan, Table: fmt.Sprintf("t%d", i)}, Event{Event: HoldEnded, Table: "x"})
		m.Errors = append(m.Errors, strings.Repeat("x", 1000))
	}
	got, wants := m.For("pager", []Kind{HoldBegan})
	if !wants || len(got.Events) != most || got.LeftOut != 2*most || len(got.Errors) != most || got.Label != "pager" || got.Type != "notification" || got.Version != Version {
		t.Errorf("%d events, %d left out, %d errors, %+v", len(got.Events), got.LeftOut, len(got.Errors), got.Label)
	}
	if !strings.Contains(got.Text, "held now: table.t0, table.t1, table.t2 and 297 more") || strings.Contains(got.Text, "no longer") || len(got.Text) > 1000 {
		t.Errorf("%q", got.Text)
	}
	if len(m.Events) != 6*most {
		t.Error("the message of others is changed")
	}
	if _, wants := m.For("pager", []Kind{Stale}); wants {
		t.Error("something is told that nobody wants")
	}
	hostile, _ := Message{Command: "apply", Folder: "a\nb", Events: []Event{{Event: HoldBegan, Table: "x\n::error::\x1b"}}}.For("x", nil)
	if strings.ContainsAny(hostile.Text, "\n\x1b") {
		t.Errorf("%q", hostile.Text)
	}
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\ncat > got.json\nenv > env.txt\n"
	if err := os.WriteFile(filepath.Join(dir, "tell.sh"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("A", "b")
	t.Setenv("HIDDEN_KEY", "geheim")
	target := &Target{Label: "x", Command: []string{"./tell.sh"}, Dir: dir, Hidden: "HIDDEN_", Timeout: 20 * time.Second}
	if err := target.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "got.json"))
	if err != nil {
		t.Fatal(err)
	}
	if m := decoded(t, data); m.Events[0].Accept != "checkout@43" || m.Events[0].Reason != "a\nb\u202e" || strings.Contains(string(data), "\u202e") {
		t.Errorf("%s", data)
	}
	if env, err := os.ReadFile(filepath.Join(dir, "env.txt")); err != nil || !strings.Contains(string(env), "A=b\n") || strings.Contains(string(env), "geheim") {
		t.Errorf("%s, %v", env, err)
	}
	for _, c := range []struct {
		command []string
		want    string
	}{
		{[]string{"sh", "-c", "echo geheim; echo geheim >&2; exit 7"}, "exit status 7"},
		{[]string{"./nothing-there"}, "no such file"},
	} {
		target.Command = c.command
		err := target.Send(t.Context(), message())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") || !strings.HasPrefix(err.Error(), `notify "x": `) {
			t.Errorf("%v", err)
		}
	}
	target.Command = []string{"true"} // reads nothing
	if err := target.Send(t.Context(), message()); err != nil {
		t.Error(err)
	}
}

// What a command has started ends with it when the time is over.
func TestCommandIsKilledWithItsGroup(t *testing.T) {
	dir := t.TempDir()
	target := &Target{Label: "x", Command: []string{"sh", "-c", "sleep 600 & echo $! > child; wait"}, Dir: dir, Timeout: 500 * time.Millisecond}
	began := time.Now()
	err := target.Send(t.Context(), message())
	if err == nil || !strings.Contains(err.Error(), "no answer within 500ms") {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	text, err := os.ReadFile(filepath.Join(dir, "child"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if gone(pid) {
			break
		}
		if time.Now().After(end) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("what the command started goes on")
		}
	}
}

// gone reports whether a process has ended, waited for or not.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ") || syscall.Kill(pid, 0) != nil
}

// webhook starts a server, and returns how it is called.
func webhook(t *testing.T, handle http.HandlerFunc) (*httptest.Server, *Target) {
	t.Helper()
	srv := httptest.NewServer(handle)
	t.Cleanup(srv.Close)
	return srv, &Target{Label: "x", Webhook: srv.URL + "/geheim-path?token=geheim", Headers: map[string]string{"Authorization": "Bearer geheim"}, Timeout: 20 * time.Second}
}

func TestWebhook(t *testing.T) {
	var got *http.Request
	var body []byte
	_, target := webhook(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	if err := target.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Authorization") != "Bearer geheim" || got.URL.RawQuery != "token=geheim" {
		t.Errorf("%v %v %v", got.Method, got.URL, got.Header)
	}
	if m := decoded(t, body); m.ExitCode != 13 || len(m.Events) != 2 {
		t.Errorf("%s", body)
	}
}

// Whatever fails, the error says so, and nothing of the address or of a header.
func TestWebhookFails(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	hang := make(chan struct{})
	defer close(hang)
	answers := map[string]http.HandlerFunc{
		"status 500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "geheim", http.StatusInternalServerError) },
		"status 307": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"no answer within 300ms": func(http.ResponseWriter, *http.Request) { <-hang },
		"EOF": func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = c.Close()
			}
		},
	}
	for want, handle := range answers {
		_, target := webhook(t, handle)
		if strings.Contains(want, "300ms") {
			target.Timeout = 300 * time.Millisecond
		}
		failsWith(t, target, want)
	}
	if elsewhere > 0 {
		t.Error("a redirection was followed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0) // of who does not trust it
	defer tls.Close()
	for url, want := range map[string]string{
		"http://" + closed + "/geheim":             "refused",
		"https://geheim-host.invalid/geheim":       "no such host",
		"http://user:geheim@" + closed + "/geheim": "refused",
		tls.URL + "/geheim":                        "certificate",
		"http://geheim host/%zz":                   "no URL",
	} {
		failsWith(t, &Target{Label: "x", Webhook: url, Headers: map[string]string{"A": "geheim"}, Timeout: 20 * time.Second}, want)
	}
}

func failsWith(t *testing.T, target *Target, want string) {
	t.Helper()
	err := target.Send(context.Background(), message())
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
		t.Errorf("%s: %v", want, err)
	}
}
