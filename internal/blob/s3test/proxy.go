package s3test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a client and a server and harms connections. Its
// methods can be used at any time by several goroutines.
type Proxy struct {
	Endpoint string // URL to use instead of the server's

	listener net.Listener
	to       string
	mu       sync.Mutex
	latency  time.Duration
	cutAfter int64 // bytes of answers; negative for never
	cuts     int
	silent   bool
	conns    map[net.Conn]bool
	work     sync.WaitGroup
}

// NewProxy starts a proxy for a server, which ends with the test.
func NewProxy(t testing.TB, endpoint string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Endpoint: "http://" + l.Addr().String(), listener: l, to: strings.TrimPrefix(endpoint, "http://"),
		cutAfter: -1, conns: map[net.Conn]bool{}}
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Latency delays each piece of an answer.
func (p *Proxy) Latency(d time.Duration) { p.set(func() { p.latency = d }) }

// Cut resets the next times connections after so many bytes of answers.
func (p *Proxy) Cut(after int64, times int) { p.set(func() { p.cutAfter, p.cuts = after, times }) }

// Silence holds all answers back, or no longer.
func (p *Proxy) Silence(on bool) { p.set(func() { p.silent = on }) }

func (p *Proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *Proxy) close() {
	p.listener.Close()
	p.set(func() {
		for c := range p.conns {
			c.Close()
		}
		p.conns = nil
	})
	p.work.Wait()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", p.to)
		if err != nil {
			c.Close()
			continue
		}
		if !p.register(c, s) {
			return
		}
		p.work.Go(func() {
			_, _ = io.Copy(s, c)
			_ = s.(*net.TCPConn).CloseWrite()
		})
		p.work.Go(func() { p.answer(c, s) })
	}
}

func (p *Proxy) register(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.conns == nil {
			c.Close()
			continue
		}
		p.conns[c] = true
	}
	return p.conns != nil
}

// answer passes answers on, as far as it may.
func (p *Proxy) answer(c, s net.Conn) {
	defer c.Close()
	defer s.Close()
	buf := make([]byte, 16<<10)
	for sent := int64(0); ; {
		n, err := s.Read(buf)
		if err != nil {
			return
		}
		for p.held() {
			time.Sleep(time.Millisecond)
		}
		allowed, wait := p.judge(sent, n)
		time.Sleep(wait)
		if _, err := c.Write(buf[:allowed]); err != nil {
			return
		}
		if allowed < n {
			_ = c.(*net.TCPConn).SetLinger(0) // a reset, not an end
			return
		}
		sent += int64(n)
	}
}

// held reports whether answers are held back.
func (p *Proxy) held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent && p.conns != nil
}

// judge says how many of n bytes may pass after sent ones, and when.
func (p *Proxy) judge(sent int64, n int) (allowed int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cuts > 0 && p.cutAfter >= 0 && sent+int64(n) > p.cutAfter {
		p.cuts--
		return int(max(0, p.cutAfter-sent)), p.latency
	}
	return n, p.latency
}
