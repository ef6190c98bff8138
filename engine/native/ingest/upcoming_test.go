package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"sync"
	"testing"

	"reconcile/engine/partfile"
	"reconcile/internal/blob"
)

// opened is a source of files without bytes, which knows what became of them.
type opened struct {
	mu     sync.Mutex
	open   []string
	closed []string
	ahead  map[string]int // pieces that are read ahead
}

type openedFile struct {
	blob.Handle
	from *opened
	key  string
}

func (o *opened) Open(_ context.Context, key string) (blob.Handle, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if key == "missing" {
		return nil, fs.ErrNotExist
	}
	o.open = append(o.open, key)
	return &openedFile{from: o, key: key}, nil
}

func (f *openedFile) ReadAhead(pieces int) {
	f.from.mu.Lock()
	defer f.from.mu.Unlock()
	f.from.ahead[f.key] = pieces
}

func (f *openedFile) Close() error {
	f.from.mu.Lock()
	defer f.from.mu.Unlock()
	f.from.closed = append(f.from.closed, f.key)
	return nil
}

func newOpened() *opened {
	return &opened{ahead: map[string]int{}}
}

func keys(list ...string) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for _, key := range list {
			if !yield(File{Key: key}, nil) {
				return
			}
		}
	}
}

// With the first file so many of the next ones are opened, and no more.
func TestUpcoming(t *testing.T) {
	src := newOpened()
	u := newUpcoming(t.Context(), src, keys("0", "1", "2", "3", "4"), 2)
	for i := range 5 {
		f, h, more, err := u.next()
		if err != nil || !more || f.Key != fmt.Sprint(i) {
			t.Fatalf("file %d: %+v, %v, %v", i, f, more, err)
		}
		if want := min(2, 4-i); len(u.list) != want {
			t.Errorf("at file %d %d more are opened, want %d", i, len(u.list), want)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if _, _, more, err := u.next(); more || err != nil {
			t.Errorf("behind the last file: %v, %v", more, err)
		}
	}
	u.close()
	if len(src.ahead) != 5 {
		t.Errorf("%d files are read ahead, want all 5", len(src.ahead))
	}
}

// A file that cannot be opened is an error when its turn comes, and so is a list that ends
// before its time.
func TestUpcomingFails(t *testing.T) {
	u := newUpcoming(t.Context(), newOpened(), keys("0", "missing", "2"), 4)
	if f, _, more, err := u.next(); f.Key != "0" || !more || err != nil {
		t.Fatalf("the file before: %+v, %v, %v", f, more, err)
	}
	var bad *partfile.FileError
	if _, _, _, err := u.next(); !errors.As(err, &bad) || bad.Key != "missing" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the missing file: %v", err)
	}
	u.close()

	broken := errors.New("the list is broken")
	u = newUpcoming(t.Context(), newOpened(), func(yield func(File, error) bool) {
		_ = yield(File{Key: "0"}, nil) && yield(File{}, broken)
	}, 4)
	if f, _, more, err := u.next(); f.Key != "0" || !more || err != nil {
		t.Fatalf("the file before: %+v, %v, %v", f, more, err)
	}
	if _, _, more, err := u.next(); !more || !errors.Is(err, broken) {
		t.Errorf("of the list: %v, %v", more, err)
	}
	u.close()
}

// What was opened and not asked for is closed.
func TestUpcomingCloses(t *testing.T) {
	src := newOpened()
	u := newUpcoming(t.Context(), src, keys("0", "missing", "2", "3", "4"), 3)
	if _, _, _, err := u.next(); err != nil {
		t.Fatal(err)
	}
	u.close()
	slices.Sort(src.closed)
	if want := []string{"2", "3"}; !slices.Equal(src.closed, want) {
		t.Errorf("closed are %v, want %v", src.closed, want)
	}
}
