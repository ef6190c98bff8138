package keyset

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// collected makes a set of rows, through files where few fit into memory.
func collected(t *testing.T, s Space, rows []Row, more *Set) *Set {
	t.Helper()
	c := s.Collect(2)
	for _, r := range rows {
		if err := c.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.AddSet(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	set, err := c.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return set
}

func random(r *rand.Rand, n int) ([]Row, map[Row]bool) {
	values := []int64{math.MinInt64, -1, 0, 1, 2, 3, 1 << 33, math.MaxInt64}
	value := func() int64 {
		if r.IntN(2) == 0 {
			return values[r.IntN(len(values))]
		}
		return r.Int64N(1<<40) - 1<<39
	}
	rows, set := make([]Row, n), map[Row]bool{}
	for i := range rows {
		rows[i] = Row{value(), value()}
		if i > 0 && r.IntN(3) == 0 {
			rows[i] = rows[r.IntN(i)]
		}
		set[rows[i]] = true
	}
	return rows, set
}

// Sets count what maps do, in memory and in files, and leave no file.
func TestMissing(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := Space{Dir: t.TempDir(), Rows: []int{3, 20, 100, 1 << 20}[seed%4]}
		a, inA := random(r, r.IntN(400))
		b, inB := random(r, r.IntN(400))
		b = append(b, a[:len(a)/2]...)
		for _, row := range a[:len(a)/2] {
			inB[row] = true
		}
		first := collected(t, s, a, nil)
		other := collected(t, s, b, nil)
		both := collected(t, s, b, first)
		missing := int64(0)
		for row := range inA {
			if !inB[row] {
				missing++
			}
		}
		maps.Copy(inB, inA)
		if got, err := first.Missing(t.Context(), other); err != nil || got != missing || first.Len() != int64(len(inA)) {
			t.Fatalf("seed %d: %d of %d rows are missing, not %d of %d: %v", seed, got, first.Len(), missing, len(inA), err)
		}
		if got, err := both.Missing(t.Context(), both); err != nil || got != 0 || both.Len() != int64(len(inB)) {
			t.Fatalf("seed %d: of both, %d of %d rows are missing: %v", seed, got, both.Len(), err)
		}
		for _, set := range []*Set{first, other, both} {
			if err := set.Close(); err != nil {
				t.Fatal(err)
			}
		}
		left, err := os.ReadDir(s.Dir)
		if err != nil || len(left) > 0 {
			t.Fatalf("seed %d: files are left: %v, %v", seed, left, err)
		}
	}
}

func TestNoRows(t *testing.T) {
	var none *Set
	some := collected(t, Space{Dir: t.TempDir(), Rows: 10}, []Row{{1, 2}}, nil)
	if n, err := some.Missing(t.Context(), none); n != 1 || err != nil {
		t.Error(n, err)
	}
	if n, err := none.Missing(t.Context(), some); n != 0 || err != nil {
		t.Error(n, err)
	}
	if none.Len() != 0 || none.Close() != nil {
		t.Error("a set that is nil has something")
	}
}
