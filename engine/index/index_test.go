package index

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

var ctx = context.Background()

func TestSort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, smallSort, smallSort + 1, 5000, 40000} {
		for name, make1 := range map[string]func() Entry{
			"wide":     func() Entry { return Entry{int64(rng.Uint64()), rng.Uint32(), rng.Uint32()} },
			"one user": func() Entry { return Entry{-9, uint32(rng.IntN(3)), rng.Uint32()} },
			"equal":    func() Entry { return Entry{5, 6, 7} },
			"usual":    func() Entry { return Entry{rng.Int64N(2000) - 1000, uint32(rng.IntN(90)), rng.Uint32() >> 24} },
		} {
			got := make([]Entry, n)
			for i := range got {
				got[i] = make1()
			}
			want := slices.Clone(got)
			slices.SortFunc(want, Compare)
			again := slices.Clone(got)
			if Sort(got); !slices.Equal(got, want) {
				t.Fatalf("%d entries, %s: not sorted", n, name)
			}
			if sortWith(again, 3); !slices.Equal(again, want) {
				t.Fatalf("%d entries, %s: not sorted by three goroutines", n, name)
			}
		}
	}
}

func TestKeyHash(t *testing.T) {
	if KeyHash(12345, 32)>>24 != KeyHash(12345, 8) {
		t.Error("8 bits are not the upper ones of 32")
	}
	if KeyHash(7, 0) > 1 || KeyHash(7, 99) != KeyHash(7, 32) {
		t.Error("bits out of range are not the nearest")
	}
	var seen [256]int
	for key := range int64(256 * 1000) {
		seen[KeyHash(key*1024, 8)]++
	}
	for h, n := range seen {
		if n < 800 || n > 1200 {
			t.Errorf("hash %d has %d of 256,000 regular keys, expected about 1000", h, n)
		}
	}
	distinct := map[uint32]bool{}
	for key := range int64(100_000) {
		distinct[KeyHash(key-50_000, 32)] = true
	}
	if len(distinct) < 99_990 {
		t.Errorf("%d distinct hashes of 100,000 keys", len(distinct))
	}
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 2))
		m := randomModel(rng, []int{0, 1, 30, 2000, 20000}[rng.IntN(5)], []int{32, 8}[rng.IntN(2)])
		entries := m.sorted()
		r := open(t, write(t, entries, []int{1, 7, 300, segmentUsers}[rng.IntN(4)]))
		if r.entries != len(m) || r.users != m.users() {
			t.Fatalf("seed %d: %d entries, %d users, want %d, %d", seed, r.entries, r.users, len(m), m.users())
		}
		if got, err := scanAll(r); err != nil || !slices.Equal(got, entries) {
			t.Fatalf("seed %d: scan differs, %v", seed, err)
		}
		for _, n := range []int{0, 1, 20, len(m)} {
			raws := someUsers(rng, m, n)
			got, stats, err := r.lookup(ctx, raws, nil)
			if err != nil || !slices.Equal(got, m.lookup(raws)) {
				t.Fatalf("seed %d: look-up of %d users differs, %v", seed, len(raws), err)
			}
			if stats.Probes != len(raws) || stats.Blocks > r.blocks() {
				t.Fatalf("seed %d: %+v", seed, stats)
			}
		}
	}
}

// lookup appends to dst the entries of the users, as visit finds them.
func (r *Run) lookup(ctx context.Context, raws []int64, dst []Entry) ([]Entry, Stats, error) {
	stats, err := r.visit(ctx, raws, func(e []Entry) error {
		dst = append(dst, e...)
		return nil
	})
	return dst, stats, err
}

func (r *Run) blocks() (n int) {
	for _, s := range r.segs {
		n += len(s.blocks)
	}
	return n
}

func TestExtremes(t *testing.T) {
	entries := []Entry{
		{math.MinInt64, 0, 0}, {math.MinInt64, math.MaxUint32, math.MaxUint32},
		{-1, math.MaxUint32, 0}, {0, 0, 0}, {math.MaxInt64, 0, 1}, {math.MaxInt64, 0, 2},
	}
	for _, perSegment := range []int{1, 2, segmentUsers} {
		r := open(t, write(t, entries, perSegment))
		got, _, err := r.lookup(ctx, []int64{math.MinInt64, -2, -1, 0, 1, math.MaxInt64}, nil)
		if err != nil || !slices.Equal(got, entries) {
			t.Errorf("%d users a segment: %v, %v", perSegment, got, err)
		}
	}
}

// TestOnlyNamedBlocksAreRead holds the cost: strangers read nothing, a user
// reads the blocks that hold it.
func TestOnlyNamedBlocksAreRead(t *testing.T) {
	var entries []Entry
	for raw := range int64(50_000) {
		entries = append(entries, Entry{raw * 10, uint32(raw % 90), KeyHash(raw, 32)})
	}
	r := open(t, write(t, entries, segmentUsers))
	_, stats, err := r.lookup(ctx, []int64{250_000}, nil)
	if err != nil || stats.Passed != 1 || stats.Blocks != 1 || stats.Bytes > maxBlock {
		t.Errorf("one user: %+v, %v", stats, err)
	}
	var strangers []int64
	for raw := range int64(40_000) {
		strangers = append(strangers, raw*10+3)
	}
	got, stats, err := r.lookup(ctx, strangers, nil)
	if err != nil || len(got) > 0 || stats.Passed > 40_000/150 {
		t.Errorf("strangers: %d entries, %+v, %v", len(got), stats, err)
	}
	if got, stats, err = r.lookup(ctx, []int64{-5, 1 << 60}, nil); err != nil || len(got) > 0 || stats.Bytes > 0 {
		t.Errorf("out of range: %d entries, %+v, %v", len(got), stats, err)
	}
}

// TestManyReads is about runs whose blocks are more than one read takes.
func TestManyReads(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	entries := make([]Entry, 150_000)
	for i := range entries {
		entries[i] = Entry{rng.Int64N(9_000), uint32(rng.IntN(90)), rng.Uint32()}
	}
	Sort(entries)
	entries = slices.Compact(entries)
	r := open(t, write(t, entries, segmentUsers))
	if r.Size() < 5*readLimit/2 {
		t.Fatalf("the run has %d bytes only", r.Size())
	}
	if got, err := scanAll(r); err != nil || !slices.Equal(got, entries) {
		t.Errorf("scan: %d of %d entries, %v", len(got), len(entries), err)
	}
	raws := make([]int64, 9_000)
	for i := range raws {
		raws[i] = int64(i)
	}
	got, stats, err := r.lookup(ctx, raws, nil)
	if err != nil || !slices.Equal(got, entries) || stats.Blocks != r.blocks() {
		t.Errorf("look-up: %d of %d entries, %+v, %v", len(got), len(entries), stats, err)
	}
}

// TestFiltersInMemory is about which filters a run keeps: all of them or none.
func TestFiltersInMemory(t *testing.T) {
	b := write(t, randomModel(rand.New(rand.NewPCG(1, 1)), 3000, HashBits).sorted(), 100)
	all := 0
	for _, s := range open(t, b).segs {
		all += int(s.filterLen)
	}
	for _, c := range []struct {
		may  int
		kept bool
	}{{0, false}, {all - 1, false}, {all, true}, {all + 1, true}} {
		r, err := Open(bytes.NewReader(b), int64(len(b)), c.may)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range r.filters {
			if kept := f != nil; kept != c.kept {
				t.Errorf("of filters of %d bytes %d may stay in memory: that of segment %d is kept: %v", all, c.may, i, kept)
			}
		}
	}
}

// TestFiltersNeverLie asks for every user of several segments, with filters
// kept and not kept, and without any.
func TestFiltersNeverLie(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var raws []int64
	for range 30_000 {
		raws = append(raws, int64(rng.Uint64()))
	}
	slices.Sort(raws)
	var entries []Entry
	for i, raw := range raws {
		entries = append(entries, Entry{raw, uint32(i), 1})
	}
	stored := write(t, entries, 7000)
	for name, mend := range map[string]func(*Run){
		"kept":     func(*Run) {},
		"not kept": func(r *Run) { _ = r.loadFilters(0) },
		"absent": func(r *Run) {
			for i := range r.segs {
				r.segs[i].filterLen = 0
			}
		},
	} {
		r := open(t, stored)
		if len(r.segs) != 5 {
			t.Fatalf("%d segments, want 5 of up to 7000 users", len(r.segs))
		}
		mend(r)
		got, stats, err := r.lookup(ctx, raws, nil)
		if err != nil || !slices.Equal(got, entries) || stats.Passed != len(raws) {
			t.Errorf("%s: %d entries, %+v, %v", name, len(got), stats, err)
		}
	}
}

func TestOrderIsChecked(t *testing.T) {
	w := NewWriter(&bytes.Buffer{})
	for _, e := range []Entry{{1, 2, 3}, {1, 2, 3}, {1, 2, 4}} {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if w.Entries() != 2 || w.total != 1 {
		t.Errorf("%d entries, %d users: a duplicate was kept", w.Entries(), w.total)
	}
	if err := w.Add(Entry{1, 1, 9}); err == nil {
		t.Error("an entry out of order was taken")
	}
	if err := w.Close(); err == nil {
		t.Error("a run with an error was closed as if good")
	}
	r := open(t, write(t, []Entry{{1, 2, 3}, {4, 5, 6}}, 9))
	for _, raws := range [][]int64{{4, 1}, {1, 1}} {
		if _, _, err := r.lookup(ctx, raws, nil); !errors.Is(err, errUnsorted) {
			t.Errorf("users %v: %v", raws, err)
		}
	}
}

func TestMerge(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var runs []*Run
		all := model{}
		for range rng.IntN(6) {
			m := randomModel(rng, rng.IntN(5000), 8)
			for e := range m {
				all[e] = struct{}{}
			}
			runs = append(runs, open(t, write(t, m.sorted(), 100)))
		}
		raws := someUsers(rng, all, 50)
		var got []Entry
		_, err := Visit(ctx, runs, raws, func(e []Entry) error {
			got = append(got, e...)
			return nil
		})
		Sort(got)
		if got = slices.Compact(got); err != nil || !slices.Equal(got, all.lookup(raws)) {
			t.Fatalf("seed %d: look-up over %d runs differs, %v", seed, len(runs), err)
		}
		for e := range all {
			if e.Part == 3 {
				delete(all, e)
			}
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		if err := mergeRuns(ctx, w, runs, func(e Entry) bool { return e.Part != 3 }); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := scanAll(open(t, out.Bytes())); err != nil || !slices.Equal(got, all.sorted()) {
			t.Fatalf("seed %d: merge of %d runs differs, %v", seed, len(runs), err)
		}
		if !bytes.Equal(out.Bytes(), write(t, all.sorted(), segmentUsers)) {
			t.Fatalf("seed %d: equal entries made different bytes", seed)
		}
	}
}

func TestSorter(t *testing.T) {
	for _, c := range []struct{ n, mem int }{{0, 10}, {10, 10}, {9, 10}, {5000, 10}, {5000, 1 << 20}, {3000, 1}} {
		rng := rand.New(rand.NewPCG(uint64(c.n), 4))
		dir, m := t.TempDir(), randomModel(rng, c.n, 8)
		s := NewSorter(dir, c.mem)
		s.Workers = rng.IntN(4)
		for range 2 { // every entry twice
			for e := range m {
				if err := s.Add(ctx, e); err != nil {
					t.Fatal(err)
				}
			}
		}
		if files, _ := os.ReadDir(dir); len(files) > 4*fanIn {
			t.Errorf("%+v: %d scratch files", c, len(files))
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		if err := errors.Join(s.WriteTo(ctx, w), w.Close()); err != nil {
			t.Fatal(err)
		}
		if got, err := scanAll(open(t, out.Bytes())); err != nil || !slices.Equal(got, m.sorted()) {
			t.Fatalf("%+v: %d entries, want %d, %v", c, len(got), len(m), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 {
			t.Errorf("%+v: %d scratch files are left", c, len(files))
		}
	}
}

func TestSorterFailures(t *testing.T) {
	s := NewSorter(t.TempDir()+"/missing", 1)
	if err := s.Add(ctx, Entry{1, 2, 3}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
	if err := s.WriteTo(ctx, NewWriter(&bytes.Buffer{})); err == nil {
		t.Error("a sorter that lost an entry wrote a run")
	}
	dir := t.TempDir()
	stopped, stop := context.WithCancel(ctx)
	s = NewSorter(dir, 2)
	for i := range int64(5) {
		if err := s.Add(stopped, Entry{i, 2, 3}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := s.WriteTo(stopped, NewWriter(&bytes.Buffer{})); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("%d scratch files are left", len(files))
	}
}

// Runs of version 1 had hashes of 32 bits: their upper ones count.
func TestVersion1(t *testing.T) {
	data, err := os.ReadFile("testdata/version1.run")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(data), int64(len(data)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []Entry
	for s := r.Scan(); ; {
		e, err := s.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e...)
	}
	for raw := range int64(300) {
		for k := range raw%4 + 1 {
			want = append(want, Entry{raw*7 - 50, uint32(k / 2), uint32(raw)<<12 | uint32(k)<<1})
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d entries, want %d, or other ones", len(got), len(want))
	}
	if KeyHash(77, 32)>>8 != KeyHash(77, HashBits) {
		t.Error("the hashes of today are not the upper bits of those of version 1")
	}
}
