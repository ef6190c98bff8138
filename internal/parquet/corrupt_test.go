package parquet

import (
	"bytes"
	"fmt"
	"testing"

	"reconcile/internal/column"
)

// smallFile is a file with every type and encoding.
func smallFile(t testing.TB, comp string) ([]byte, []*column.Batch) {
	cols := allTypes()
	var batches []*column.Batch
	for seed := range uint64(2) {
		r := seeded(40 + seed)
		b := &column.Batch{N: 30, Cols: make([]column.Column, len(cols))}
		for i := range cols {
			b.Cols[i] = column.Column{Name: cols[i].Name, Type: cols[i].Type}
			fillColumn(r, &b.Cols[i], b.N, shape{
				nulls: []float64{0, 0.3, 0}[seed], distinct: []int{0, 4, 9}[seed], run: []int{1, 2, 20}[seed], text: 8, sorted: seed == 0})
		}
		batches = append(batches, b)
	}
	return write(t, Options{Compression: comp, PageRows: 24}, cols, batches...), batches
}

// readAll reads a file whole and reports the first error. What can be read can be
// read in part, too.
// And what can be read can be read as a wide file.
func readAll(data []byte) ([]*column.Batch, error) {
	all, err := readAllOf(Open(bytes.NewReader(data), int64(len(data))))
	wide, wideErr := readAllOf(openFrom(bytes.NewReader(data), int64(len(data)), 0))
	if err == nil && wideErr == nil {
		wideErr = same(wide, all)
	}
	if (err == nil) != (wideErr == nil) {
		panic(fmt.Sprintf("a file is read with %v, as a wide one with %v", err, wideErr))
	}
	return all, err
}

func readAllOf(f *File, err error) ([]*column.Batch, error) {
	if err != nil {
		return nil, err
	}
	var all []*column.Batch
	for g := range f.RowGroups() {
		var b, some column.Batch
		rows := someRows(f.GroupRows(g), 3)
		partly := f.ReadRows(g, rows, nil, &some)
		if err := f.ReadRowGroup(g, nil, &b); err != nil {
			return nil, err
		}
		if partly == nil {
			partly = same([]*column.Batch{&some}, []*column.Batch{selectedRows(&b, rows)})
		}
		if partly != nil {
			panic(fmt.Sprintf("some rows of row group %d, all of which can be read: %v", g, partly))
		}
		all = append(all, &b)
	}
	return all, nil
}

// same reports whether two files hold the same rows and schema.
func same(got, want []*column.Batch) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d row groups, want %d", len(got), len(want))
	}
	for i := range want {
		if len(got[i].Cols) != len(want[i].Cols) {
			return fmt.Errorf("%d columns, want %d", len(got[i].Cols), len(want[i].Cols))
		}
		for k := range want[i].Cols {
			if d := differ(&got[i].Cols[k], &want[i].Cols[k]); d != "" {
				return fmt.Errorf("row group %d: %s", i, d)
			}
		}
	}
	return nil
}

// TestFlippedBytes damages every byte of a file: an error or the same data.
func TestFlippedBytes(t *testing.T) {
	for i, comp := range []string{"snappy", "none", "zstd"} {
		data, want := smallFile(t, comp)
		survived := 0
		for at := 0; at < len(data); at += 1 + 2*i {
			flip := []byte{1, 0xff, 2, 0x80, 4, 0x40, 8, 0x20, 16}[at%9]
			bad := bytes.Clone(data)
			bad[at] ^= flip
			got, err := readAll(bad)
			if err != nil {
				continue
			}
			if err := same(got, want); err != nil {
				t.Fatalf("%s: byte %d of %d flipped by %#x reads as other data: %v", comp, at, len(data), flip, err)
			}
			survived++
		}
		t.Logf("%s: %d bytes, %d flips did not matter", comp, len(data), survived)
	}
}

func TestTruncated(t *testing.T) {
	data, _ := smallFile(t, "zstd")
	for n := range data {
		if _, err := readAll(data[:n]); err == nil {
			t.Fatalf("a file cut at %d of %d bytes is read", n, len(data))
		}
	}
}

// TestWithoutFooterSum has damage that only the structure can tell, as the
// footers of other programs have no checksum.
func TestWithoutFooterSum(t *testing.T) {
	data, _ := smallFile(t, "zstd")
	plain := bytes.Replace(data, []byte(checksumKey), []byte("reconcile.checksux"), 1)
	if _, err := readAll(plain); err != nil {
		t.Fatal(err)
	}
	f := open(t, plain)
	for at := int(f.end); at < len(plain)-tailSize; at++ {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(plain)
			bad[at] ^= flip
			_, _ = readAll(bad) // must not panic
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, comp := range []string{"none", "snappy", "zstd"} {
		data, _ := smallFile(f, comp)
		f.Add(data)
		f.Add(bytes.Replace(data, []byte(checksumKey), []byte("reconcile.checksux"), 1))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := readAll(data)
		if err != nil {
			return
		}
		for _, b := range all {
			for i := range b.Cols {
				if b.Cols[i].Len() != b.N {
					t.Fatalf("column %s has %d of %d rows", b.Cols[i].Name, b.Cols[i].Len(), b.N)
				}
			}
		}
	})
}

func FuzzHybrid(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8}, uint8(4))
	f.Add(bytes.Repeat([]byte{7}, 100), uint8(9))
	f.Add(bytes.Repeat([]byte{255, 3}, 50), uint8(32))
	f.Add([]byte("hello, world; hello, world"), uint8(17))
	f.Fuzz(func(t *testing.T, src []byte, w uint8) {
		width := uint(w-1)%32 + 1
		vals := make([]uint32, len(src))
		nums := make([]int64, len(src))
		for i, b := range src {
			vals[i] = uint32(uint64(b) * 0x01010101 & (1<<width - 1))
			nums[i] = int64(uint64(b)<<56>>(width-1)) - int64(i*i)
		}
		got := make([]uint32, len(vals))
		if err := decodeHybrid(got, appendHybrid(nil, vals, width), width); err != nil {
			t.Fatal(err)
		}
		back := make([]int64, len(nums))
		if err := decodeDelta(back, appendDelta(nil, nums, false), false); err != nil {
			t.Fatal(err)
		}
		for i := range vals {
			if got[i] != vals[i] || back[i] != nums[i] {
				t.Fatalf("value %d: %d, want %d; %d, want %d", i, got[i], vals[i], back[i], nums[i])
			}
		}
		null := make([]bool, len(src))
		_, _, _ = decodeLevels(src, null)
		_ = decodeHybrid(got, src, width)
		_ = decodeDelta(back, src, w%2 == 0)
	})
}
