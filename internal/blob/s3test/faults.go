package s3test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Fault is a way in which a request can fail.
type Fault string

// The faults. A request that is refused, hangs or is cut does not reach the
// server whole; one whose answer is lost, late or cut has its effect there. Any
// other status and code of S3, as "403 AccessDenied", is a fault, too.
const (
	NoFault    Fault = ""
	Internal   Fault = "500 InternalError"
	SlowDown   Fault = "503 SlowDown"
	Hangs      Fault = "timeout"           // no answer until the client gives up
	CutRequest Fault = "cut request"       // the connection ends in the middle of the request
	CutAnswer  Fault = "cut answer"        // the connection ends in the middle of the answer
	LostAnswer Fault = "lost answer"       // the connection ends instead of an answer
	LateAnswer Fault = "answer never sent" // the client gives up waiting for it
)

// The ways in which a store refuses one object.
const (
	Archived   Fault = "403 InvalidObjectState" // it says that it has it, and does not read it
	KeyRefused Fault = "400 KMS.DisabledException"
	Denied     Fault = "403 AccessDenied"
)

// Refusals lists them.
func Refusals() []Fault { return []Fault{Archived, KeyRefused, Denied} }

// AllFaults lists the faults of the network and of a server that ails.
func AllFaults() []Fault {
	return []Fault{Internal, SlowDown, Hangs, CutRequest, CutAnswer, LostAnswer, LateAnswer}
}

// Request is one that passed a gate.
type Request struct {
	Method, Path string
	Query        string
	Header       http.Header
}

// Copy is the request as rules see it, without its body.
func (r Request) Copy() *http.Request {
	return &http.Request{Method: r.Method, Header: r.Header, URL: &url.URL{Path: r.Path, RawQuery: r.Query}}
}

// Gate stands between clients and a server, sees every request, and lets those
// fail that its rule picks. Its methods can be used at any time by several
// goroutines.
type Gate struct {
	Endpoint string // URL to use instead of the server's

	to     string
	client http.Transport
	mu     sync.Mutex
	rule   func(n int, r *http.Request) Fault
	seen   []Request
	struck int
	held   *Held
}

// NewGate starts a gate for a server, which ends with the test.
func NewGate(t testing.TB, endpoint string) *Gate {
	g := &Gate{to: strings.TrimPrefix(endpoint, "http://"), client: http.Transport{MaxIdleConnsPerHost: 64}}
	s := httptest.NewServer(g)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		g.client.CloseIdleConnections()
	})
	g.Endpoint = s.URL
	return g
}

// Rule replaces the rule, which is asked about the n-th request from now on,
// counted from 1, and forgets what was seen. Without a rule all pass.
func (g *Gate) Rule(rule func(n int, r *http.Request) Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rule, g.seen, g.struck = rule, nil, 0
}

// At lets the n-th request from now on fail.
func (g *Gate) At(n int, f Fault) {
	g.Rule(func(i int, _ *http.Request) Fault {
		if i == n {
			return f
		}
		return NoFault
	})
}

// From lets all requests fail from the n-th from now on.
func (g *Gate) From(n int, f Fault) {
	g.Rule(func(i int, _ *http.Request) Fault {
		if i >= n {
			return f
		}
		return NoFault
	})
}

// Refuse lets the reading of objects fail whose keys hold a text.
func (g *Gate) Refuse(key string, f Fault) {
	g.Rule(func(_ int, r *http.Request) Fault {
		read := r.Method == http.MethodGet && !r.URL.Query().Has("list-type") || r.Method == http.MethodHead && f == Denied
		if read && strings.Contains(r.URL.Path, key) {
			return f
		}
		return NoFault
	})
}

// Seen lists the requests since the last rule.
func (g *Gate) Seen() []Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Request(nil), g.seen...)
}

// Struck counts the requests since the last rule that failed by it.
func (g *Gate) Struck() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.struck
}

func (g *Gate) judge(r *http.Request) Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = append(g.seen, Request{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Clone()})
	if g.rule == nil {
		return NoFault
	}
	f := g.rule(len(g.seen), r)
	if f != NoFault {
		g.struck++
	}
	return f
}

// ServeHTTP passes a request on, or lets it fail.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := g.judge(r)
	if g.hold(w, r) {
		return
	}
	if status, code, ok := strings.Cut(string(f), " "); ok && len(status) == 3 && status[0] >= '3' && status[0] <= '5' {
		n, _ := strconv.Atoi(status)
		refuse(w, n, code)
		return
	}
	switch f {
	case NoFault:
		g.pass(w, r)
	case Hangs:
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	case CutRequest:
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
		reset(w, nil)
	default:
		g.spoil(w, r, f)
	}
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "R1")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>What S3 says of it.</Message><RequestId>R1</RequestId></Error>", code)
}

// send sends a request to the server, as it was signed.
func (g *Gate) send(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", g.to, ""
	out.Header.Del("Expect")
	if r.ContentLength == 0 {
		out.Body = nil
	}
	return g.client.RoundTrip(out)
}

func (g *Gate) pass(w http.ResponseWriter, r *http.Request) {
	resp, err := g.send(r)
	if err != nil {
		reset(w, nil)
		return
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// spoil lets a request have its effect, and not the whole of its answer.
func (g *Gate) spoil(w http.ResponseWriter, r *http.Request, f Fault) {
	resp, err := g.send(r)
	if err != nil {
		reset(w, nil)
		return
	}
	defer resp.Body.Close()
	switch f {
	case CutAnswer:
		reset(w, half(resp))
	case LateAnswer:
		<-r.Context().Done()
	default:
		reset(w, nil)
	}
}

// half is an answer up to the middle of its body, or of its head if it has none.
func half(resp *http.Response) []byte {
	body, _ := io.ReadAll(resp.Body)
	length := resp.ContentLength
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(nil)), 0
	var head bytes.Buffer
	_ = resp.Write(&head)
	if len(body) == 0 {
		return head.Bytes()[:head.Len()/2]
	}
	said := bytes.Replace(head.Bytes(), []byte("Content-Length: 0\r\n"), fmt.Appendf(nil, "Content-Length: %d\r\n", max(length, int64(len(body)))), 1)
	return append(said, body[:len(body)/2]...)
}

// reset ends a connection after some bytes.
func reset(w http.ResponseWriter, after []byte) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = conn.Write(after)
	if c, ok := conn.(*net.TCPConn); ok && len(after) == 0 {
		_ = c.SetLinger(0)
	}
	conn.Close()
}
