package column

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkDict adds values and checks codes, values, hashes and what is invalid.
func checkDict(t *testing.T, d *Dict, values []string) []uint32 {
	t.Helper()
	codes := make([]uint32, len(values))
	for i, v := range values {
		codes[i] = d.Add([]byte(v))
	}
	for i, v := range values {
		if codes[i] == 0 || int(codes[i]) >= d.Len() || string(d.Value(codes[i])) != v || d.Hash(codes[i]) != hashBytes([]byte(v)) {
			t.Fatalf("value %q has code %d of %d, which is %q", v, codes[i], d.Len(), d.Value(codes[i]))
		}
	}
	return codes
}

func TestDictKnowsWhatRepeats(t *testing.T) {
	d := NewDict()
	r := rand.New(rand.NewPCG(11, 12))
	values := make([]string, 50_000)
	for i := range values {
		values[i] = fmt.Sprint(r.IntN(3000))
	}
	codes := checkDict(t, d, values)
	seen := map[string]uint32{}
	for i, v := range values {
		if c, ok := seen[v]; ok && c != codes[i] {
			t.Fatalf("%q has codes %d and %d", v, c, codes[i])
		}
		seen[v] = codes[i]
	}
	if d.Len() != len(seen)+1 {
		t.Errorf("%d codes for %d values", d.Len()-1, len(seen))
	}
	if len(d.Value(0)) != 0 {
		t.Error("null has a value")
	}
	if empty := d.Add(nil); empty == 0 || empty != d.Add([]byte{}) {
		t.Error("the empty text is not one value of its own")
	}
}

func TestDictStopsLookingUp(t *testing.T) {
	d := NewDict()
	values := make([]string, 3*sampleAdds)
	for i := range values {
		values[i] = fmt.Sprint("value ", i)
	}
	checkDict(t, d, values)
	if !d.plain {
		t.Fatal("a dictionary of new values still looks them up")
	}
	if a, b := d.Add([]byte("x")), d.Add([]byte("x")); a == b {
		t.Error("a plain dictionary found a value")
	}
	d.Reset()
	if d.Len() != 1 || d.Size() != 0 || d.plain {
		t.Fatalf("after Reset: %d codes, %d bytes", d.Len(), d.Size())
	}
	if codes := checkDict(t, d, []string{"x", "y", "x"}); codes[0] != codes[2] || codes[0] != 1 {
		t.Errorf("codes after Reset: %v", codes)
	}
}

func TestDictInvalid(t *testing.T) {
	d := NewDict()
	codes := checkDict(t, d, []string{"ok", "\xff", "é", "\xc3", "\xff", "\xed\xa0\x80"})
	if want := []uint32{codes[1], codes[3], codes[5]}; !slices.Equal(d.Invalid(), want) {
		t.Errorf("invalid codes %v, want %v", d.Invalid(), want)
	}
	d.Reset()
	if len(d.Invalid()) != 0 {
		t.Error("invalid codes survive Reset")
	}
}

func TestDictCopy(t *testing.T) {
	s, d := NewDict(), NewDict()
	for i := range 1000 {
		s.Add(fmt.Append(nil, i))
	}
	d.Add([]byte("gone"))
	d.copyFrom(s)
	s.Reset()
	s.Add([]byte("other"))
	if d.Len() != 1001 || string(d.Value(1)) != "0" || d.Add([]byte("999")) != 1000 || d.Add([]byte("new")) != 1001 {
		t.Error("the copy is not the original's equal")
	}
}

// TestDictFromDict adds values of dictionaries that look values up and of others to
// such as do and do not: value, hash and what is invalid come along.
func TestDictFromDict(t *testing.T) {
	few, many := []string{"a", "\xff", "é", "a", "\xc3"}, make([]string, 2*sampleAdds)
	for i := range many {
		many[i] = fmt.Sprint("value ", i)
		if i%1000 == 999 {
			many[i] = "\xff" + many[i]
		}
	}
	valid := []string{"b", "c"}
	for _, from := range [][]string{few, many, valid} {
		s := NewDict()
		codes := checkDict(t, s, from)
		for _, first := range [][]string{nil, many} {
			d := NewDict()
			checkDict(t, d, first)
			was := len(d.Invalid())
			invalid := map[uint32]bool{}
			for i, code := range codes {
				c := d.addOf(s, code)
				if string(d.Value(c)) != from[i] || d.Hash(c) != s.Hash(code) {
					t.Fatalf("%q is %q with another hash or value", from[i], d.Value(c))
				}
				if slices.Contains(s.Invalid(), code) {
					invalid[c] = true
				}
			}
			if got := d.Invalid()[was:]; len(got) != len(invalid) || slices.ContainsFunc(got, func(c uint32) bool { return !invalid[c] }) {
				t.Errorf("invalid codes %v, want %v", got, invalid)
			}
		}
	}
	d := NewDict()
	checkDict(t, d, many)
	if c := d.AddValid([]byte("é")); string(d.Value(c)) != "é" || d.Hash(c) != hashBytes([]byte("é")) {
		t.Error("a valid value is another one")
	}
}

// TestDictAddPlain adds values as they stand in another dictionary.
func TestDictAddPlain(t *testing.T) {
	many := make([]string, sampleAdds)
	for i := range many {
		many[i] = fmt.Sprint("value ", i)
	}
	s, d := NewDict(), NewDict()
	values := []string{"", "a", "\xff", "é", "\xc3", "the last"}
	codes := checkDict(t, s, values)
	src := s.Plain(codes[0], codes[len(codes)-1]+1)
	if _, ok := d.AddPlain(src, len(values), false); ok || d.Len() != 1 {
		t.Error("values came to a dictionary that looks them up")
	}
	checkDict(t, d, many)
	was, size := d.Len(), d.Size()
	for cut := range src {
		if _, ok := d.AddPlain(src[:cut], len(values), false); ok || d.Len() != was || d.Size() != size {
			t.Fatalf("the first %d of %d bytes are taken for %d values", cut, len(src), len(values))
		}
	}
	for _, n := range []int{len(values) - 1, len(values) + 1} {
		if _, ok := d.AddPlain(src, n, false); ok || d.Len() != was {
			t.Fatalf("%d values are taken for %d", len(values), n)
		}
	}
	first, ok := d.AddPlain(src, len(values), false)
	if !ok || int(first) != was || d.Len() != was+len(values) {
		t.Fatalf("%d codes from %d on, %t", d.Len()-was, first, ok)
	}
	for i, v := range values {
		if code := first + uint32(i); string(d.Value(code)) != v || d.Hash(code) != hashBytes([]byte(v)) {
			t.Errorf("value %q is %q", v, d.Value(code))
		}
	}
	if want := []uint32{first + 2, first + 4}; !slices.Equal(d.Invalid(), want) {
		t.Errorf("invalid codes %v, want %v", d.Invalid(), want)
	}
	if first, ok = d.AddPlain(nil, 0, true); !ok || int(first) != d.Len() {
		t.Error("no values are not added")
	}
	if c := d.Add([]byte("behind")); string(d.Value(c)) != "behind" || len(d.Invalid()) != 2 {
		t.Error("a value behind those is another one")
	}
}

// A dictionary that had values takes others after it became a copy of one that never had any.
func TestDictCopyOfEmpty(t *testing.T) {
	d, empty := NewDict(), NewDict()
	d.Add([]byte("before"))
	d.Reset()
	d.copyFrom(empty)
	if c := d.Add([]byte("after")); string(d.Value(c)) != "after" {
		t.Errorf("%q", d.Value(c))
	}
}
