package index

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// readAll uses every part of a stored run.
func readAll(b []byte, raws []int64) ([]Entry, error) {
	r, err := Open(bytes.NewReader(b), int64(len(b)), 1<<20)
	if err != nil {
		return nil, err
	}
	got, _, err := r.lookup(ctx, raws, nil)
	if err != nil {
		return nil, err
	}
	all, err := scanAll(r)
	if err == nil && len(all) != r.entries {
		err = errors.New("a scan gives fewer entries than the run has")
	}
	return append(got, all...), err
}

func TestDamageIsFound(t *testing.T) {
	m := randomModel(rand.New(rand.NewPCG(6, 6)), 300, 32)
	var raws []int64
	for _, e := range m.sorted() {
		raws = append(raws, e.Raw)
	}
	raws = slices.Compact(raws)
	good := write(t, m.sorted(), 40)
	if _, err := readAll(good, raws); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(good)
			bad[i] ^= flip
			if _, err := readAll(bad, raws); !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d of %d flipped by %#x: %v", i, len(good), flip, err)
			}
		}
		if _, err := readAll(good[:i], raws); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		if _, err := Open(bytes.NewReader(good[:i]), int64(len(good)), 1<<20); !errors.Is(err, ErrDamaged) {
			t.Fatalf("shorter than said, %d: %v", i, err)
		}
	}
	if _, err := readAll(append(bytes.Clone(good), 0), raws); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: %v", err)
	}
}

// TestFilterDamageOnDemand is about filters that are read by each look-up.
func TestFilterDamageOnDemand(t *testing.T) {
	stored := write(t, []Entry{{1, 2, 3}, {5, 2, 3}}, 9)
	r := open(t, stored)
	if err := r.loadFilters(0); err != nil {
		t.Fatal(err)
	}
	stored[r.segs[0].filterOff+filterHead] ^= 1
	if _, _, err := r.lookup(ctx, []int64{1}, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged filter answered: %v", err)
	}
}

func TestErrorsOfTheReaderAndWriter(t *testing.T) {
	boom := errors.New("boom")
	if _, err := Open(failing{boom}, 1000, 1<<20); !errors.Is(err, boom) || errors.Is(err, ErrDamaged) {
		t.Errorf("reading: %v", err)
	}
	w := NewWriter(failing{boom})
	if err := w.Add(Entry{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, boom) {
		t.Errorf("writing: %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }
func (f failing) Write([]byte) (int, error)         { return 0, f.err }

// reseal mends the checksums of a run whose parts were changed, as far as its
// directory can still be found, so that the fuzzer gets behind them.
func reseal(b []byte) []byte {
	if len(b) < len(magic)+footerLen {
		return b
	}
	b = bytes.Clone(b)
	foot := b[len(b)-footerLen:]
	copy(b, magic)
	copy(foot[36:], magic)
	f := footer{dirOff: le64(foot), dirLen: le64(foot[8:]), entries: le64(foot[16:]), users: le64(foot[24:])}
	body := uint64(len(b) - footerLen)
	if f.dirOff <= body && f.dirLen == body-f.dirOff {
		f.dirSum = checksum(b[f.dirOff:body])
	}
	copy(foot, f.bytes())
	return b
}

func le64(b []byte) (v uint64) {
	for i := range 8 {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

func FuzzOpen(f *testing.F) {
	m := randomModel(rand.New(rand.NewPCG(6, 6)), 60, 32)
	f.Add(write(f, m.sorted(), 20))
	f.Add(write(f, nil, 20))
	f.Add(write(f, []Entry{{1, 2, 3}}, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, reseal(b)} {
			_, _ = readAll(b, []int64{-5, 0, 1, 7, 1 << 40}) // must not panic
		}
	})
}

// FuzzBlock feeds blocks that a checksum would otherwise keep away.
func FuzzBlock(f *testing.F) {
	var b blockBuilder
	for _, e := range []Entry{{1, 2, 3}, {1, 2, 4}, {1, 9, 0}, {6, 1, 1}} {
		b.add(e)
	}
	data, k := b.finish(nil)
	f.Add(data, int64(1), int64(6), k.entries)
	for raw := range int64(40) {
		for part := range raw % 13 {
			b.add(Entry{raw, uint32(part * part * part * 17), uint32(raw)})
		}
	}
	data, k = b.finish(nil)
	f.Add(data, k.first, k.last, k.entries)
	f.Add([]byte{4, 1, 1, 0, 1, 2, 3, 4}, int64(5), int64(5), uint32(1))
	f.Fuzz(func(t *testing.T, data []byte, first, last int64, n uint32) {
		k := blockInfo{first: first, last: last, entries: n, sum: checksum(data)}
		var d blockDecoder
		got, err := d.decode(data, k, 2, nil)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if len(got) != int(n) || !slices.IsSortedFunc(got, Compare) {
			t.Fatalf("%d entries of %d, or not sorted", len(got), n)
		}
		want := slices.DeleteFunc(slices.Clone(got), func(e Entry) bool { return e.Raw%2 == 0 })
		only := []int64{math.MinInt64}
		for _, e := range want {
			only = append(only, e.Raw)
		}
		if got, err = d.decode(data, k, 2, slices.Compact(only)); err != nil || !slices.Equal(got, want) {
			t.Fatalf("of some users %v, want %v; %v", got, want, err)
		}
	})
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte("01234567\x04\x00\x00\x00\x01\x00\x00\x00abcdefghijkl"), uint64(9))
	f.Fuzz(func(t *testing.T, b []byte, user uint64) {
		if f, err := parseFilter(b); err == nil {
			f.Contains(user) // must not panic
		}
	})
}
