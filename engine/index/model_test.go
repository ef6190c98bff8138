package index

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the naive index: a set.
type model map[Entry]struct{}

func (m model) sorted() []Entry {
	out := make([]Entry, 0, len(m))
	for e := range m {
		out = append(out, e)
	}
	slices.SortFunc(out, Compare)
	return out
}

func (m model) lookup(raws []int64) []Entry {
	var out []Entry
	for e := range m {
		if slices.Contains(raws, e.Raw) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, Compare)
	return out
}

func (m model) users() int {
	users := map[int64]bool{}
	for e := range m {
		users[e.Raw] = true
	}
	return len(users)
}

// randomModel makes about n entries with hashes of the given bits, over users
// that have few entries or very many.
func randomModel(rng *rand.Rand, n, bits int) model {
	m := model{}
	users := 1 + rng.IntN(n+1)
	spread := []int64{1, 1 << 30, -1 << 45}[rng.IntN(3)]
	for range n {
		raw := int64(rng.IntN(users)-users/2) * spread
		if rng.IntN(4) == 0 {
			raw = 7 // a user of many blocks
		}
		m[Entry{raw, uint32(rng.IntN(400)), KeyHash(rng.Int64N(1<<40), bits)}] = struct{}{}
	}
	return m
}

// write makes a run of sorted entries with segments of the given size.
func write(t testing.TB, entries []Entry, perSegment int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	w.perSegment = perSegment
	for _, e := range entries {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(out.Len()) || w.Entries() != int64(len(entries)) {
		t.Fatalf("the writer says %d bytes, %d entries; it is %d and %d", w.Size(), w.Entries(), out.Len(), len(entries))
	}
	return out.Bytes()
}

func open(t testing.TB, b []byte) *Run {
	t.Helper()
	r, err := Open(bytes.NewReader(b), int64(len(b)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func scanAll(r *Run) ([]Entry, error) {
	var all []Entry
	s := r.Scan()
	for {
		e, err := s.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, e...)
	}
}

// someUsers picks users of the model and strangers, ascending.
func someUsers(rng *rand.Rand, m model, n int) []int64 {
	var raws []int64
	for _, e := range m.sorted() {
		if rng.IntN(len(m)+1) < n {
			raws = append(raws, e.Raw)
		}
		if rng.IntN(len(m)+1) < n {
			raws = append(raws, e.Raw+rng.Int64N(5)-2)
		}
	}
	slices.Sort(raws)
	return slices.Compact(raws)
}
