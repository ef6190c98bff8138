package parquet

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"
)

func TestCutBounds(t *testing.T) {
	a63, top := strings.Repeat("a", 63), "\U0010FFFF"
	for _, x := range []struct {
		in, down, up string
		no           bool
	}{
		{in: "short", down: "short", up: "short"},
		{in: a63 + "b", down: a63 + "b", up: a63 + "b"},
		{in: a63 + "bc", down: a63 + "b", up: a63 + "c"},
		{in: a63 + "é!", down: a63, up: a63[:62] + "b"},
		{in: a63 + "\x7f!", down: a63 + "\x7f", up: a63 + "\u0080"},
		{in: a63[:61] + "\uD7FF!", down: a63[:61] + "\uD7FF", up: a63[:61] + "\uE000"},
		{in: a63[:60] + top + "!", down: a63[:60] + top, up: a63[:59] + "b"},
		{in: strings.Repeat(top, 20), down: strings.Repeat(top, 16), no: true},
		{in: a63[:10] + "\xff" + a63, down: a63[:10] + "\xff" + a63[:53], no: true},
	} {
		down := string(cutDown([]byte(x.in)))
		up, ok := new(columnIndex).cutUp([]byte(x.in))
		if down != x.down || ok == x.no || string(up) != x.up {
			t.Errorf("%q: %q and %q, %t; want %q and %q", x.in, down, up, ok, x.down, x.up)
		}
		if down > x.in || ok && string(up) < x.in {
			t.Errorf("%q is not within %q and %q", x.in, down, up)
		}
	}
}

// TestLongTextBounds has text too long for exact bounds: the chunk has none,
// the pages have cut ones, and text that cannot be cut has no column index.
func TestLongTextBounds(t *testing.T) {
	long := strings.Repeat("x", maxBound)
	for _, x := range []struct {
		max          string
		exact, index bool
	}{{long, true, true}, {long + "y", false, true}, {strings.Repeat("\U0010FFFF", 70), false, false}} {
		b := batch(textCol("s", "a", x.max, "b"))
		c := open(t, write(t, Options{}, b.Cols, b)).groups[0].columns[0]
		s := c.MetaData.Statistics
		if (s.MaxValue != nil) != x.exact || (s.MinValue != nil) != x.exact || x.exact && string(s.MaxValue) != x.max {
			t.Errorf("text of %d bytes: bounds %q to %q", len(x.max), s.MinValue, s.MaxValue)
		}
		if (c.ColumnIndexLength > 0) != x.index {
			t.Errorf("text of %d bytes: column index of %d bytes", len(x.max), c.ColumnIndexLength)
		}
	}
}

// TestLyingSizes has sizes that claim more than is there: an error that costs
// no memory.
func TestLyingSizes(t *testing.T) {
	list := func(elem byte) []byte { // a footer with two billion row groups
		b := binary.AppendUvarint([]byte{0x49, 0xf0 | elem}, 1<<31-1)
		return append(b, make([]byte, 100)...)
	}
	nested := bytes.Repeat([]byte{0x19}, 1<<20)
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	for _, b := range [][]byte{list(12), list(5), list(8), list(1), nested} {
		var meta format.FileMetaData
		if _, err := decodeThrift(b, &meta); err == nil {
			t.Errorf("% x is taken", b[:8])
		}
	}
	var d decompressor
	comp, err := newCompressor(format.Zstd, 0)
	if err != nil {
		t.Fatal(err)
	}
	page := comp.append(nil, []byte("hello"))
	for _, size := range []int{4, 6, 1 << 30} {
		if _, err := d.decode(nil, page, format.Zstd, size); err == nil {
			t.Errorf("zstd: 5 bytes are taken for %d", size)
		}
		lie := binary.AppendUvarint(nil, uint64(size))
		if _, err := d.decode(nil, append(lie, 16, 'h', 'e', 'l', 'l', 'o'), format.Snappy, size); err == nil {
			t.Errorf("snappy: 5 bytes are taken for %d", size)
		}
		if _, err := d.decode(nil, []byte("hello"), format.Uncompressed, size); err == nil {
			t.Errorf("5 bytes are taken for %d", size)
		}
	}
	runtime.ReadMemStats(&m1)
	if n := m1.TotalAlloc - m0.TotalAlloc; n > 32<<20 {
		t.Errorf("it took %d bytes to find out", n)
	}
}
