package identity

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func encode(t testing.TB, m *Mapping) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := m.Encode(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decode(b []byte) (*Mapping, error) { return Decode(bytes.NewReader(b), int64(len(b))) }

func sameMapping(t *testing.T, a, b *Mapping) {
	t.Helper()
	if a.Len() != b.Len() {
		t.Fatalf("%d entries, want %d", b.Len(), a.Len())
	}
	for i := range a.Len() {
		ta, oka := a.Time(i)
		tb, okb := b.Time(i)
		if a.From(i) != b.From(i) || a.To(i) != b.To(i) || ta != tb || oka != okb {
			t.Fatalf("entry %d differs: %d -> %d", i, b.From(i), b.To(i))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{0, 1, 2, blockLen - 1, blockLen, blockLen + 1, 3*blockLen + 17} {
		for _, times := range []string{"none", "all", "some"} {
			b := NewBuilder()
			for i := range n {
				b.Add(Entry{
					From: int64(i)<<50 - rng.Int64N(1<<40), To: int64(rng.Uint64()), Time: rng.Int64(),
					HasTime: times == "all" || times == "some" && rng.IntN(2) == 0,
				})
			}
			m, _ := b.Build(2)
			stored := encode(t, m)
			back, err := decode(stored)
			if err != nil {
				t.Fatalf("%d entries, times %s: %v", n, times, err)
			}
			sameMapping(t, m, back)
			if !bytes.Equal(stored, encode(t, back)) {
				t.Errorf("%d entries: the bytes differ after a round trip", n)
			}
		}
	}
}

func smallStored(t testing.TB) []byte {
	m, _ := newWorld(randomRows(rand.New(rand.NewPCG(4, 4)), 60, 200)).build()
	return encode(t, m)
}

func TestDamageIsFound(t *testing.T) {
	good := smallStored(t)
	if _, err := decode(good); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(good)
			bad[i] ^= flip
			if _, err := decode(bad); !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d flipped by %#x: %v", i, flip, err)
			}
		}
		if _, err := decode(good[:i]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		if _, err := Decode(bytes.NewReader(good[:i]), int64(len(good))); !errors.Is(err, ErrDamaged) {
			t.Fatalf("shorter than said, %d: %v", i, err)
		}
	}
	if _, err := decode(append(bytes.Clone(good), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: %v", err)
	}
}

func TestErrorsOfTheReaderAndWriter(t *testing.T) {
	boom := errors.New("boom")
	_, err := Decode(failing{boom}, 1000)
	if !errors.Is(err, boom) || errors.Is(err, ErrDamaged) {
		t.Errorf("reading: %v", err)
	}
	m, _ := mapping(Entry{From: 1, To: 2})
	if err := m.Encode(failing{boom}); !errors.Is(err, boom) {
		t.Errorf("writing: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

// FuzzDecodeBlock feeds what a checksum would otherwise keep away.
func FuzzDecodeBlock(f *testing.F) {
	m, _ := newWorld(randomRows(rand.New(rand.NewPCG(4, 4)), 60, 200)).build()
	f.Add(m.appendBlock(nil, 0, m.Len()), m.Len())
	f.Add([]byte{2, 2, 0, 0, 1}, 2)
	f.Add([]byte{2, 2, 0, 0, 2, 3, 1}, 2)
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		if n < 1 || n > blockLen {
			return
		}
		got := &Mapping{}
		if err := got.decodeBlock(raw, n); err != nil {
			if !errors.Is(err, ErrDamaged) || got.Len() != 0 {
				t.Fatalf("%v, %d entries", err, got.Len())
			}
			return
		}
		for i := 1; i < got.Len(); i++ {
			if got.From(i) <= got.From(i-1) {
				t.Fatal("sources out of order")
			}
		}
		back, err := decode(encode(t, got))
		if err != nil {
			t.Fatal(err)
		}
		sameMapping(t, got, back)
		got.Closure(2)
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(smallStored(f))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err == nil {
			back, err := decode(encode(t, m))
			if err != nil {
				t.Fatal(err)
			}
			sameMapping(t, m, back)
		}
	})
}
