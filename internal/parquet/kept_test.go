package parquet

import (
	"bytes"
	"testing"
)

// What is kept of a footer comes back as it was, whatever was kept or taken since.
func TestKept(t *testing.T) {
	var p packer
	contents := [][]byte{nil, []byte("short"), bytes.Repeat([]byte("a long one "), leastPacked), bytes.Repeat([]byte("another"), leastPacked)}
	var held []kept
	for _, c := range contents {
		from := bytes.Clone(c)
		k, err := p.keep(from)
		if err != nil {
			t.Fatal(err)
		}
		clear(from)
		if held = append(held, k); k.size != len(c) || len(k.data) > leastPacked {
			t.Errorf("%d bytes are kept as %d, said to stand for %d", len(c), len(k.data), k.size)
		}
	}
	for i := range contents {
		for _, k := range []int{i, len(contents) - 1 - i} {
			got, err := p.take(held[k])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, contents[k]) {
				t.Errorf("%d bytes came back as %d, or changed", len(contents[k]), len(got))
			}
		}
	}
}
