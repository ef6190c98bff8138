package identity

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

const benchLen = 5_000_000

// benchRows looks like a real mapping: sources and targets are random 53-bit
// ids, four sources in five migrate in one hop, three sources a target.
func benchRows() []Entry {
	rng := rand.New(rand.NewPCG(1, 1))
	rows := make([]Entry, benchLen)
	targets := make([]int64, benchLen/3)
	for i := range targets {
		targets[i] = rng.Int64N(1 << 53)
	}
	for i := range rows {
		rows[i] = Entry{From: rng.Int64N(1 << 53), To: targets[rng.IntN(len(targets))],
			Time: 1.7e12 + rng.Int64N(1e11), HasTime: true, Version: uint64(i)}
		if i > 0 && rng.IntN(5) == 0 {
			rows[i].To = rows[rng.IntN(i)].From
		}
	}
	return rows
}

func benchMapping(b *testing.B) *Mapping {
	bd := NewBuilder()
	for _, e := range benchRows() {
		bd.Add(e)
	}
	m, _ := bd.Build(2)
	return m
}

func BenchmarkBuildWithClosure(b *testing.B) {
	rows := benchRows()
	b.ReportAllocs()
	for b.Loop() {
		bd := NewBuilder()
		for _, e := range rows {
			bd.Add(e)
		}
		if m, _ := bd.Build(2); m.Len() < benchLen*9/10 {
			b.Fatal(m.Len())
		}
	}
}

func BenchmarkClosureOnly(b *testing.B) {
	m := benchMapping(b)
	for b.Loop() {
		resolve(m, 2)
	}
}

// BenchmarkGroups is what the first call of Members costs.
func BenchmarkGroups(b *testing.B) {
	c := benchMapping(b).Closure(2)
	for b.Loop() {
		orderByCanon(c.pairs, 2)
	}
}

func BenchmarkEncode(b *testing.B) {
	m := benchMapping(b)
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if err := m.Encode(&out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len())/float64(m.Len()), "B/entry")
}

func BenchmarkDecode(b *testing.B) {
	stored := encode(b, benchMapping(b))
	for b.Loop() {
		if _, err := decode(stored); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanon(b *testing.B) {
	m := benchMapping(b)
	c := m.Closure(2)
	rng := rand.New(rand.NewPCG(2, 2))
	ids := make([]int64, 1<<20)
	for i := range ids {
		ids[i] = rng.Int64N(1 << 53)
		if i%2 == 0 {
			ids[i] = m.From(rng.IntN(m.Len()))
		}
	}
	var sum int64
	for i := 0; b.Loop(); i++ {
		sum += c.Canon(ids[i&(1<<20-1)])
	}
	runtime.KeepAlive(sum)
}

func BenchmarkMembers(b *testing.B) {
	m := benchMapping(b)
	c := m.Closure(2)
	var got []int64
	c.groups()
	for i := 0; b.Loop(); i++ {
		got = c.appendMembers(got[:0], c.Canon(m.From(i*7919%m.Len())))
	}
}

func BenchmarkDiff(b *testing.B) {
	c := benchMapping(b).Closure(2)
	for b.Loop() {
		if len(Diff(c, c)) > 0 {
			b.Fatal("a closure differs from itself")
		}
	}
}

// BenchmarkMemory measures what stays, in bytes per entry.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		before := heap()
		m := benchMapping(b)
		both := heap() - before
		c := m.Closure(2)
		m = nil
		alone := heap() - before
		b.ReportMetric(float64(both)/benchLen, "B/entry-with-mapping")
		b.ReportMetric(float64(alone)/benchLen, "B/entry-closure")
		c.groups()
		b.ReportMetric(float64(heap()-before)/benchLen, "B/entry-with-groups")
		runtime.KeepAlive(m)
		runtime.KeepAlive(c)
	}
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
