package s3blob

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
)

const (
	// firstRead is what opening an object reads of it: small ones cost one
	// request, and whoever reads the header of a large one finds it here.
	firstRead = 64 << 10
	// leastRead is what a small read at an odd place fetches.
	leastRead = 128 << 10
	// sequential is what a reader that goes on gets at first.
	sequential = 1 << 20
	// windows is how many pieces a handle keeps that is read here and there.
	windows = 3
)

// Open opens an object. The handle reads the content that was opened or fails
// with blob.ErrConflict; it reads ahead for a reader that goes on and on, and
// splits large reads into several requests.
func (s *Store) Open(ctx context.Context, key string) (blob.Handle, error) {
	if err := s.check("open", key, false); err != nil {
		return nil, err
	}
	h := &handle{s: s}
	h.ctx, h.cancel = context.WithCancel(ctx)
	err := s.grace.wait(ctx, s.o, func() error {
		data := make([]byte, firstRead)
		r := ranged{s: s, ctx: h.ctx, key: key, doing: "open"}
		n, err := r.read(data)
		if err == nil {
			h.o = r.o
			h.keepWindow(&window{end: int64(n), data: data[:n], done: closed()})
		}
		return err
	})
	if err != nil {
		h.cancel()
		return nil, err
	}
	return h, nil
}

// ReadWhole reads an object of at most max bytes (blob.ErrTooLarge if it has more) in
// one request. It needs memory for max bytes.
func (s *Store) ReadWhole(ctx context.Context, key string, max int) (data []byte, o blob.Object, err error) {
	if err := s.check("read", key, false); err != nil {
		return nil, o, err
	}
	room := make([]byte, max)
	err = s.grace.wait(ctx, s.o, func() error {
		r := ranged{s: s, ctx: ctx, key: key, doing: "read"}
		n, err := r.read(room)
		data, o = room[:n], r.o
		return err
	})
	switch {
	case err != nil:
		return nil, o, err
	case o.Size > int64(max):
		return nil, o, fmt.Errorf("read %s: %w: %s, at most %s are read", s.place(key), blob.ErrTooLarge, amount.Of(o.Size, "byte"), amount.Number(max))
	}
	return bytes.Clone(data), o, nil
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// handle reads one object. It keeps a few pieces of it.
type handle struct {
	s          *Store
	ctx        context.Context
	cancel     context.CancelFunc
	o          blob.Object
	prefetches sync.WaitGroup // requests that read ahead

	mu     sync.Mutex
	pieces []*window // the one used last is last
	next   int64     // where the last read ended
	grown  int       // the size of the last piece read ahead
	ahead  int       // pieces that are fetched before they are asked for; 0 unless it is read in order
	closed bool
}

// window is a piece of an object, being fetched until done is closed.
type window struct {
	off, end int64
	data     []byte
	err      error
	done     chan struct{}
}

func (h *handle) Object() blob.Object { return h.o }

// Close ends what is still being read.
func (h *handle) Close() error {
	h.mu.Lock()
	h.closed, h.pieces = true, nil
	h.mu.Unlock()
	h.cancel()
	h.prefetches.Wait()
	return nil
}

// ReadAhead begins to fetch the first pieces behind what was read.
func (h *handle) ReadAhead(pieces int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead, h.grown = pieces, h.s.o.ReadAhead
	h.fetchAhead(max(h.next, firstRead))
}

// fetchAhead begins to fetch the pieces from off on that are missing. It needs h.mu.
func (h *handle) fetchAhead(off int64) {
	for range h.ahead {
		if off >= h.o.Size {
			return
		}
		w := h.pieceAt(off)
		if w == nil {
			w = h.fetch(off, h.grow())
		}
		off = w.end
	}
}

func (h *handle) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, &Error{Doing: "read", Place: h.s.place(h.o.Key), Reason: "negative offset", kind: fs.ErrInvalid}
	}
	if err := h.ctx.Err(); err != nil {
		return 0, h.ended(err)
	}
	want := int(max(0, min(int64(len(p)), h.o.Size-off)))
	for n < want && err == nil {
		var m int
		m, err = h.some(p[n:want], off+int64(n))
		n += m
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (h *handle) ended(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		err = fs.ErrClosed
	}
	return &Error{Doing: "read", Place: h.s.place(h.o.Key), Reason: err.Error(), err: err}
}

// some reads at least a byte.
func (h *handle) some(p []byte, off int64) (int, error) {
	w, direct := h.windowAt(off, len(p))
	if direct {
		return h.direct(p, off)
	}
	select {
	case <-w.done:
	case <-h.ctx.Done():
		return 0, h.ended(h.ctx.Err())
	}
	if w.err != nil {
		h.forget(w)
		return 0, w.err
	}
	n := copy(p, w.data[off-w.off:])
	h.mu.Lock()
	h.next = off + int64(n)
	h.mu.Unlock()
	return n, nil
}

// windowAt returns the piece in which off lies, and begins to fetch it if need be,
// and the next one for a reader that goes on and on. A large read somewhere is
// left to the caller.
func (h *handle) windowAt(off int64, want int) (w *window, direct bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	goesOn := off == h.next && off > 0
	for i, k := range h.pieces {
		if k.off <= off && off < k.end {
			h.pieces = append(append(h.pieces[:i:i], h.pieces[i+1:]...), k)
			w = k
			break
		}
	}
	switch {
	case w != nil:
	case want >= 2*h.s.o.ReadAhead:
		return nil, true
	case goesOn:
		w = h.fetch(off, h.grow())
	case want >= leastRead:
		return nil, true
	default:
		w = h.fetch(off, leastRead)
	}
	switch {
	case h.ahead > 0:
		h.pieces = slices.DeleteFunc(h.pieces, func(k *window) bool { return k.end <= w.off })
		h.fetchAhead(w.end)
	case goesOn && h.grown >= h.s.o.ReadAhead && w.end < h.o.Size && h.pieceAt(w.end) == nil:
		h.fetch(w.end, h.grow())
	}
	return w, false
}

func (h *handle) grow() int {
	h.grown = min(max(2*h.grown, sequential), h.s.o.ReadAhead)
	return h.grown
}

// pieceAt returns the piece in which off lies, nil if there is none.
func (h *handle) pieceAt(off int64) *window {
	for _, k := range h.pieces {
		if k.off <= off && off < k.end {
			return k
		}
	}
	return nil
}

// fetch begins to read a piece. It needs h.mu.
func (h *handle) fetch(off int64, n int) *window {
	if h.closed {
		return &window{err: fs.ErrClosed, done: closed()}
	}
	w := &window{off: off, end: min(off+int64(n), h.o.Size), done: make(chan struct{})}
	h.keepWindow(w)
	h.prefetches.Go(func() {
		defer close(w.done)
		data := make([]byte, w.end-w.off)
		_, w.err = h.full(data, w.off)
		w.data = data
	})
	return w
}

// keepWindow adds a piece and forgets the one that was used longest ago.
func (h *handle) keepWindow(w *window) {
	if len(h.pieces) >= max(windows, h.ahead+1) {
		h.pieces = append([]*window(nil), h.pieces[1:]...)
	}
	h.pieces = append(h.pieces, w)
}

// forget lets a piece that could not be read be tried again.
func (h *handle) forget(w *window) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, k := range h.pieces {
		if k == w {
			h.pieces = append(h.pieces[:i:i], h.pieces[i+1:]...)
			return
		}
	}
}

// full fills p, which lies inside the object.
func (h *handle) full(p []byte, off int64) (int, error) {
	r := ranged{s: h.s, ctx: h.ctx, key: h.o.Key, doing: "read", off: off, o: h.o}
	n, err := r.read(p)
	if err == nil && n < len(p) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// direct reads a large range, in several requests at once.
func (h *handle) direct(p []byte, off int64) (int, error) {
	part := h.s.o.ReadAhead
	var g errgroup.Group
	for at := 0; at < len(p); at += part {
		g.Go(func() error {
			_, err := h.full(p[at:min(at+part, len(p))], off+int64(at))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	h.mu.Lock()
	h.next = off + int64(len(p))
	h.mu.Unlock()
	return len(p), nil
}
