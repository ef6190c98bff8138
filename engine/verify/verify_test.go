package verify

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"

	"reconcile/engine/identity"
)

// Every user is in one of the parts.
func TestSample(t *testing.T) {
	for _, of := range []int{1, 2, 3, 7, 64} {
		sizes := make([]int, of)
		for user := int64(-3000); user < 3000; user++ {
			in := 0
			for part := 1; part <= of; part++ {
				s, err := ParseSample(fmt.Sprintf("%d/%d", part, of))
				if err != nil {
					t.Fatal(err)
				}
				if s.has(user) {
					in++
					sizes[part-1]++
				}
			}
			if in != 1 {
				t.Fatalf("user %d is in %d of %d parts", user, in, of)
			}
		}
		for part, n := range sizes {
			if n < 6000/of/2 || n > 6000/of*2 {
				t.Errorf("part %d of %d has %d of 6000 users", part+1, of, n)
			}
		}
	}
	for _, bad := range []string{"", "1", "0/64", "65/64", "1/0", "-1/2", "1/x", "1/64/2", "1/2000000"} {
		if s, err := ParseSample(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, s)
		}
	}
	if s := (Sample{2, 64}).String() + (Sample{}).String() + (Sample{1, 1}).String(); s != "2/64" {
		t.Errorf("samples are shown as %q", s)
	}
}

// Who is one user is what the engine says, whatever contradicts itself.
func TestPeople(t *testing.T) {
	for seed := range int64(300) {
		r := rand.New(rand.NewSource(seed))
		p, b := &people{chosen: map[int64]entry{}}, identity.NewBuilder()
		users := int64(2 + r.Intn(12))
		for row := range r.Intn(30) {
			from, e := r.Int63n(users)-2, entry{to: r.Int63n(users) - 2, row: int64(row)}
			x := identity.Entry{From: from, To: e.to, Version: uint64(row)}
			if r.Intn(3) > 0 {
				e.time, e.hasTime = int64(r.Intn(3)), true
				x.Time, x.HasTime = e.time, true
			}
			p.add(from, e)
			b.Add(x)
		}
		p.follow()
		m, _ := b.Build(1)
		closure := m.Closure(1)
		for u := int64(-3); u < users; u++ {
			if got, want := p.of(u), closure.Canon(u); got != want {
				t.Fatalf("seed %d: user %d is %d, not %d\n%v", seed, u, got, want, p.chosen)
			}
		}
	}
}

// A pile gives back what it was given, spilled or not.
func TestPile(t *testing.T) {
	for _, limit := range []int{50, 5000, 1 << 30} {
		dir := t.TempDir()
		p := &pile{folder: func() (string, error) { return dir, nil }, name: "x", limit: limit}
		want := map[int][][]byte{}
		for range 3 {
			s := stack{pile: p}
			for i := range 700 {
				heap := heapOf(mix(uint64(i)))
				rec := binary.AppendUvarint(bytes.Repeat([]byte{7}, i%9), uint64(i))
				want[heap] = append(want[heap], rec)
				if err := s.add(heap, func(b []byte) []byte { return append(b, rec...) }); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.flush(); err != nil {
				t.Fatal(err)
			}
		}
		for heap := range heaps {
			got, err := p.take(heap)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want[heap]) {
				t.Fatalf("limit %d, heap %d: %v, %v", limit, heap, got, err)
			}
		}
		if p.held != 0 {
			t.Errorf("%d bytes are still held", p.held)
		}
	}
}
