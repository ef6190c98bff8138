package wire

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestReader(t *testing.T) {
	var b []byte
	numbers := []uint64{0, 1, 127, 128, 300, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64}
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, -5)
	b = binary.LittleEndian.AppendUint32(b, 77)
	b = append(b, 'x', 'y')
	r := Reader{Rest: b}
	for _, want := range numbers {
		if got := r.Uvarint(); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	if a, b, c := r.Varint(), r.Fixed32(), string(r.Take(2)); a != -5 || b != 77 || c != "xy" || r.Bad || len(r.Rest) > 0 {
		t.Errorf("%d, %d, %q, %+v", a, b, c, r)
	}
	for skipped := range len(numbers) {
		r := Reader{Rest: b}
		if r.Skip(skipped); r.Uvarint() != numbers[skipped] || r.Bad {
			t.Errorf("after %d numbers comes not %d", skipped, numbers[skipped])
		}
	}
}

// What is not there, or too great, makes a reader bad for good.
func TestReaderBad(t *testing.T) {
	for name, read := range map[string]func(r *Reader) bool{
		"uvarint": func(r *Reader) bool { return r.Uvarint() == 0 },
		"varint":  func(r *Reader) bool { return r.Varint() == 0 },
		"fixed":   func(r *Reader) bool { return r.Fixed32() == 0 },
		"bytes":   func(r *Reader) bool { return r.Take(3) == nil },
		"skip":    func(r *Reader) bool { r.Skip(2); return true },
		"uvarint32": func(r *Reader) bool {
			r.Rest = binary.AppendUvarint(nil, math.MaxUint32+1)
			r.Uvarint32()
			return len(r.Rest) == 0
		},
	} {
		r := Reader{Rest: []byte{0x80, 0x80}}
		if !read(&r) || !r.Bad {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
