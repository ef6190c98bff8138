package index

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// benchEntries is a million rows of up to 100,000 users, a few of whom are very
// active, over 90 daily partitions.
func benchEntries(n, users int) []Entry {
	rng := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(rng, 1.1, 50, uint64(users-1))
	ids := make([]int64, users)
	for i := range ids {
		ids[i] = rng.Int64N(1 << 53)
	}
	out := make([]Entry, n)
	for i := range out {
		out[i] = Entry{ids[zipf.Uint64()], uint32(rng.IntN(90)), KeyHash(rng.Int64(), 32)}
	}
	return out
}

func sortedBench(n, users int) []Entry {
	e := benchEntries(n, users)
	Sort(e)
	return slices.Compact(e)
}

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
}

func BenchmarkSort(b *testing.B) {
	in := benchEntries(1_000_000, 100_000)
	e := make([]Entry, len(in))
	for name, sort := range map[string]func([]Entry){
		"radix": Sort, "pdq": func(e []Entry) { slices.SortFunc(e, Compare) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				copy(e, in)
				sort(e)
			}
			perEntry(b, len(e))
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	e := sortedBench(1_000_000, 100_000)
	var out bytes.Buffer
	w := NewWriter(&out)
	for b.Loop() {
		out.Reset()
		w = NewWriter(&out)
		for _, x := range e {
			_ = w.Add(x)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b, len(e))
	b.ReportMetric(float64(out.Len())/float64(len(e)), "B/entry")
	b.ReportMetric(float64(len(e))/float64(w.total), "entries/user")
}

func BenchmarkScan(b *testing.B) {
	e := sortedBench(1_000_000, 100_000)
	r := open(b, write(b, e, segmentUsers))
	for b.Loop() {
		s := r.Scan()
		for {
			if _, err := s.Next(ctx); err != nil {
				break
			}
		}
	}
	perEntry(b, len(e))
}

// BenchmarkLookup asks for 20,000 users of a million, half of them strangers.
func BenchmarkLookup(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 3))
	var e []Entry
	for range 1_000_000 {
		raw := rng.Int64N(1 << 53)
		for range 1 + rng.IntN(9) {
			e = append(e, Entry{raw, uint32(rng.IntN(90)), rng.Uint32()})
		}
	}
	Sort(e)
	stored := write(b, slices.Compact(e), segmentUsers)
	r := open(b, stored)
	for name, n := range map[string]int{"20000": 20_000, "200": 200} {
		var raws []int64
		for len(raws) < n {
			raws = append(raws, e[rng.IntN(len(e))].Raw, rng.Int64N(1<<53))
		}
		slices.Sort(raws)
		raws = slices.Compact(raws)
		b.Run(name, func(b *testing.B) {
			var stats Stats
			var got []Entry
			for b.Loop() {
				var err error
				if got, stats, err = r.lookup(ctx, raws, got[:0]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(stats.Blocks), "blocks")
			b.ReportMetric(float64(stats.Bytes), "bytes")
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	var runs []*Run
	total := 0
	for range 8 {
		e := sortedBench(200_000, 50_000)
		for i := range e {
			e[i].Hash ^= rand.Uint32()
		}
		Sort(e)
		e = slices.Compact(e)
		total += len(e)
		runs = append(runs, open(b, write(b, e, segmentUsers)))
	}
	for b.Loop() {
		var out bytes.Buffer
		w := NewWriter(&out)
		if err := mergeRuns(ctx, w, runs, nil); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b, total)
}

// BenchmarkSorter sorts four million entries, an eighth of which fit in memory.
func BenchmarkSorter(b *testing.B) {
	e := benchEntries(4_000_000, 1_000_000)
	dir := b.TempDir()
	for b.Loop() {
		s := NewSorter(dir, len(e)/8)
		for _, x := range e {
			if err := s.Add(ctx, x); err != nil {
				b.Fatal(err)
			}
		}
		f, err := os.CreateTemp(dir, "run-*")
		if err != nil {
			b.Fatal(err)
		}
		w := NewWriter(f)
		if err := s.WriteTo(ctx, w); err != nil {
			b.Fatal(err)
		}
		_, _, _, _ = w.Close(), s.Close(), f.Close(), os.Remove(f.Name())
	}
	perEntry(b, len(e))
}
