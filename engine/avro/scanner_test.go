package avro

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"reconcile/internal/column"
)

func smallFile(tb testing.TB, codec string) []byte {
	tb.Helper()
	value := enc{}.long(1).str("one").long(0)
	other := enc{}.long(1).str("two")
	e := fileHeader(record(`["null","string"]`), codec)
	return e.block(2, compressed(tb, codec, value)).block(1, compressed(tb, codec, other))
}

func TestScannerBlocks(t *testing.T) {
	data := smallFile(t, "")
	for _, size := range []int64{-1, int64(len(data))} {
		s, err := NewScanner(iotest.OneByteReader(bytes.NewReader(data)), size, testLimits)
		if err != nil {
			t.Fatal(err)
		}
		if h := s.Header(); h.Codec() != "null" || h.Schema() != record(`["null","string"]`) || len(h.Fields()) != 1 {
			t.Errorf("header %q %q %v", h.Codec(), h.Schema(), h.Fields())
		}
		want := []Block{{Index: 0, Count: 2, Data: enc{}.long(1).str("one").long(0)}, {Index: 1, Count: 1, Data: enc{}.long(1).str("two")}}
		var b Block
		for i, w := range want {
			if ok, err := s.Next(&b); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if b.Index != i || b.Count != w.Count || !bytes.Equal(b.Data, w.Data) {
				t.Errorf("block %+v, want %+v", b, w)
			}
			if !bytes.HasPrefix(data[b.Offset:], enc{}.long(int64(w.Count)).long(int64(len(w.Data)))) {
				t.Errorf("block %d does not begin at %d", i, b.Offset)
			}
		}
		for range 2 {
			if ok, err := s.Next(&b); ok || err != nil {
				t.Error(ok, err)
			}
		}
	}
}

func TestNoBlocks(t *testing.T) {
	h, cols, err := readAllRows(fileHeader(record(`"long"`), "deflate"), -1)
	if err != nil || cols[0].Len() != 0 || h.Codec() != "deflate" {
		t.Error(err)
	}
}

// TestTruncation cuts a file everywhere. What is left is complete only where a
// block ends, and only if nobody knows the size.
func TestTruncation(t *testing.T) {
	for _, codec := range []string{"", codecSnappy, codecDeflate, codecZstd, codecXZ} {
		data := smallFile(t, codec)
		whole := map[int]int{len(fileHeader(record(`["null","string"]`), codec)): 0, len(data): 3}
		for n := range len(data) + 1 {
			_, cols, err := readAllRows(data[:n], -1)
			rows, complete := whole[n]
			var damage *DamageError
			switch {
			case complete && (err != nil || cols[0].Len() != rows):
				t.Errorf("%s: %d bytes: %v", codec, n, err)
			case !complete && err == nil && cols[0].Len() != 2:
				t.Errorf("%s: %d bytes pass for a file", codec, n)
			case err != nil && (!errors.As(err, &damage) || damage.Offset > int64(n)):
				t.Errorf("%s: %d bytes: error %v", codec, n, err)
			}
			if n < len(data) {
				if _, _, err := readAllRows(data[:n], int64(len(data))); !errors.As(err, &damage) {
					t.Errorf("%s: %d of %d bytes: error %v", codec, n, len(data), err)
				}
			}
		}
	}
}

// TestFlips changes every bit. Codecs with a checksum must notice it wherever
// it changes a value.
func TestFlips(t *testing.T) {
	for _, codec := range []string{"", codecDeflate, codecSnappy, codecXZ, codecZstd} {
		data := smallFile(t, codec)
		_, cols, err := readAllRows(data, -1)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Join(texts(cols[0]), ",")
		for i := range data {
			for bit := range 8 {
				if codec == codecXZ && bit != i%8 {
					continue // slow: each try fills a dictionary
				}
				bad := bytes.Clone(data)
				bad[i] ^= 1 << bit
				_, cols, err := readAllRows(bad, int64(len(bad)))
				if err != nil || codec == "" || codec == codecDeflate {
					continue
				}
				if got := strings.Join(texts(cols[0]), ","); got != want {
					t.Errorf("%s: bit %d of byte %d gives %q without an error", codec, bit, i, got)
				}
			}
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	good := record(`"string"`)
	head := slices.Clip(fileHeader(good, ""))
	one := enc{}.str("x")
	otherSync := bytes.Clone(head.block(1, one))
	otherSync[len(otherSync)-1]++
	for _, c := range []struct {
		name  string
		data  []byte
		size  int64
		block int
		want  string
	}{
		{"nothing", nil, -1, -1, "ends inside the header"},
		{"another format", []byte("PAR1 and more"), -1, -1, "not with Avro's mark"},
		{"no schema", append(enc("Obj\x01").long(0), testSync[:]...), -1, -1, "no schema"},
		{"unknown codec", fileHeader(good, "lz77"), -1, -1, `codec "lz77" is not supported`},
		{"negative key", enc("Obj\x01").long(1).long(-1), -1, -1, "metadata"},
		{"endless key", enc("Obj\x01").long(1).long(1 << 40), -1, -1, "metadata"},
		{"endless metadata", enc("Obj\x01").long(1 << 40), -1, -1, "metadata"},
		{"metadata of the least count", enc("Obj\x01").long(-1 << 63).long(1), -1, -1, "metadata"},
		{"schema is not JSON", fileHeader("{", ""), -1, -1, "not JSON"},
		{"sync marker", otherSync, -1, 0, "sync marker"},
		{"negative count", head.long(-1).long(0), -1, 0, "claims -1 records"},
		{"negative size", head.long(1).long(-1), -1, 0, "claims -1 bytes"},
		{"enormous count", head.long(1 << 60).long(1), -1, 0, "records"},
		{"enormous size", head.long(1).long(1 << 60), -1, 0, "bytes"},
		{"size beyond the file", head.long(1).long(1000), int64(len(head) + 100), 0, "has only"},
		{"size beyond a file of unknown size", head.long(1).long(int64(testLimits.Block)), -1, 0, "ends inside the block"},
		{"count of 11 bytes", append(head, bytes.Repeat([]byte{0x80}, 11)...), -1, 0, "64 bits"},
		{"shorter than it should be", head.block(1, one), int64(len(head.block(1, one))) + 1, 1, "should have"},
		{"longer than it should be", head.block(1, one), int64(len(head)), 0, "goes on behind"},
		{"more records than bytes", head.block(3, one), -1, 0, "record count"},
		{"too few records", head.block(1, append(one[:2:2], one...)), -1, 0, "left behind its 1 record"},
		{"bytes without records", head.block(0, one), -1, 0, "left behind its 0 records"},
		{"zero-width records", fileHeader(record(`"null"`), "").block(maxCount, nil), -1, 0, "take no bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := readAllRows(c.data, c.size)
			var damage *DamageError
			if !errors.As(err, &damage) {
				t.Fatalf("error %v", err)
			}
			if damage.Block != c.block || !strings.Contains(err.Error(), c.want) {
				t.Errorf("block %d, error %v; want block %d, %q", damage.Block, err, c.block, c.want)
			}
		})
	}
}

// TestReaderFails checks that a reader's own failure is not taken for damage,
// wherever it happens, and that it stays.
func TestReaderFails(t *testing.T) {
	data := smallFile(t, "")
	for _, cause := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for n := range len(data) {
			r := io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(cause))
			s, err := NewScanner(r, -1, testLimits)
			if err == nil {
				var b Block
				for ok := true; ok && err == nil; {
					ok, err = s.Next(&b)
				}
				if _, again := s.Next(&b); again == nil {
					t.Errorf("%d bytes: the error does not stay", n)
				}
			}
			var damage *DamageError
			if !errors.Is(err, cause) || errors.As(err, &damage) {
				t.Fatalf("%d bytes, then %v: error %v", n, cause, err)
			}
		}
	}
}

// TestMetadataRuns reads metadata in several runs, some with their size, and
// passes over keys that are not known.
func TestMetadataRuns(t *testing.T) {
	schema := enc{}.str("avro.schema").str(record(`"string"`))
	e := enc("Obj\x01").long(1).str("user.key").str("\xff")
	e = append(e.long(-1).long(int64(len(schema))), schema...).long(0)
	e = append(e, testSync[:]...)
	_, cols, err := readAllRows(e.block(1, enc{}.str("x")), -1)
	if err != nil || texts(cols[0])[0] != "x" {
		t.Error(err)
	}
}

// TestMemoryFollowsBytes claims large things in small files.
func TestMemoryFollowsBytes(t *testing.T) {
	for name, data := range map[string][]byte{
		"block":    fileHeader(record(`"string"`), "").long(1).long(int64(testLimits.Block) - 1),
		"metadata": enc("Obj\x01").long(1).long(maxMetadata - 10),
		"count":    fileHeader(record(`"string"`), "").block(maxCount, make([]byte, 100)),
		"items":    fileHeader(record(`{"type":"array","items":"long"}`), "").block(1, enc{}.long(1<<60)),
		"snappy":   fileHeader(record(`"string"`), codecSnappy).block(1, []byte{0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0}),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, _, err := readAllRows(data, -1); err == nil {
			t.Errorf("%s: no error", name)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 4*readChunk {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, got, len(data))
		}
	}
}

// TestOtherWriter reads files of another implementation, one for each codec,
// and compares with the texts that were written down with them.
func TestOtherWriter(t *testing.T) {
	want := readTexts(t, "testdata/all.json")
	for _, codec := range codecs() {
		t.Run(codec, func(t *testing.T) {
			data, err := os.ReadFile("testdata/all." + codec + ".avro")
			if err != nil {
				t.Fatal(err)
			}
			h, cols, err := readAllRows(data, int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			if h.Codec() != codec {
				t.Errorf("codec %q", h.Codec())
			}
			compareTexts(t, cols, want)
		})
	}
}

func compareTexts(t *testing.T, cols []*column.Column, want []map[string]string) {
	t.Helper()
	for _, c := range cols {
		got := texts(c)
		if len(got) != len(want) {
			t.Fatalf("%s: %d rows, want %d", c.Name, len(got), len(want))
		}
		for i, g := range got {
			if w, ok := want[i][c.Name]; !ok || g != w {
				t.Errorf("%s, row %d: %q, want %q", c.Name, i, g, w)
			}
		}
	}
}

// Peek tells of the block that comes, and leaves it to be read.
func TestPeek(t *testing.T) {
	data := smallFile(t, "")
	s, err := NewScanner(bytes.NewReader(data), int64(len(data)), testLimits)
	if err != nil {
		t.Fatal(err)
	}
	var b Block
	for {
		records, size, begins := s.Peek()
		ok, err := s.Next(&b)
		if err != nil || ok != begins || ok && (records != int64(b.Count) || size != int64(len(b.Data))) {
			t.Fatalf("%d records in %d bytes are seen, %v; then comes %+v, %v, %v", records, size, begins, b, ok, err)
		}
		if !ok {
			break
		}
	}
	head := fileHeader(record(`"long"`), "")
	for name, block := range map[string]enc{
		"no size":          enc{}.long(1),
		"half of a number": {0x80},
		"no records":       enc{}.long(0).long(5),
		"fewer than none":  enc{}.long(-1).long(5),
		"no bytes":         enc{}.long(1).long(0),
		"too many records": enc{}.long(maxCount + 1).long(5),
	} {
		s, err := NewScanner(bytes.NewReader(append(bytes.Clone(head), block...)), -1, testLimits)
		if err != nil {
			t.Fatal(err)
		}
		if records, size, ok := s.Peek(); ok {
			t.Errorf("%s: %d records in %d bytes", name, records, size)
		}
	}
}
