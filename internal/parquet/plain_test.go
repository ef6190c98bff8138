package parquet

import (
	"bytes"
	"slices"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// pageEncodings returns the encodings in the headers of all pages of a file. What the
// footer says of them must be the same.
func pageEncodings(t testing.TB, data []byte) map[format.Encoding]int {
	t.Helper()
	f := open(t, data)
	out := map[format.Encoding]int{}
	for _, g := range f.groups {
		for i := range g.columns {
			m := &g.columns[i].MetaData
			at, size := chunkPlace(m)
			chunk := data[at : at+size]
			for pos := 0; pos < len(chunk); {
				h, _, n, err := nextPage(chunk[pos:], m, true)
				if err != nil {
					t.Fatal(err)
				}
				enc := h.DataPageHeader.V.Encoding
				if h.Type == format.DictionaryPage {
					enc = h.DictionaryPageHeader.V.Encoding
				} else if h.DataPageHeader.V.DefinitionLevelEncoding != format.RLE {
					t.Errorf("levels are %s", h.DataPageHeader.V.DefinitionLevelEncoding)
				}
				if !slices.Contains(m.Encoding, enc) {
					t.Errorf("the footer does not know of %s", enc)
				}
				out[enc]++
				pos += n
			}
			for _, enc := range m.Encoding {
				if enc != format.RLE {
					out[enc] += 0
				}
			}
		}
	}
	return out
}

func checkPlain(t testing.TB, data []byte) {
	t.Helper()
	for enc := range pageEncodings(t, data) {
		if enc != format.Plain && enc != format.RLEDictionary {
			t.Errorf("a plain file has pages of %s", enc)
		}
	}
	ref, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range ref.Metadata().RowGroups {
		for _, c := range g.Columns {
			if slices.Contains(c.MetaData.Encoding, format.DeltaBinaryPacked) {
				t.Errorf("column %s is said to have %v", c.MetaData.PathInSchema, c.MetaData.Encoding)
			}
		}
	}
}

// TestPlain writes what would be delta-packed, with encoders that did so before, and
// reads it back, with another reader too.
func TestPlain(t *testing.T) {
	var pool Pool
	cols := allTypes()
	delta := 0
	for seed := range uint64(12) {
		r := seeded(500 + seed)
		var batches []*column.Batch
		for range 1 + r.IntN(3) {
			batches = append(batches, randomBatch(r, cols, []int{1, 9, 500, 3000}[r.IntN(4)]))
		}
		o := Options{Compression: []string{"zstd", "snappy", "none"}[seed%3], Pool: &pool, Parallel: int(seed % 3)}
		delta += pageEncodings(t, write(t, o, cols, batches...))[format.DeltaBinaryPacked]
		o.Plain = true
		data := write(t, o, cols, batches...)
		checkPlain(t, data)
		checkCopied(t, data, batches)
	}
	if delta == 0 {
		t.Error("no column would have been delta-packed")
	}
}

// TestPlainCopies copies the row groups of a compact file into a plain one: with a
// new column, and as they are.
func TestPlainCopies(t *testing.T) {
	const n = 4000
	cols := []column.Column{{Name: "id", Type: column.Type{ID: column.Int64}}, {Name: "to", Type: column.Type{ID: column.Int64}},
		{Name: "few", Type: column.Type{ID: column.Int64}}, {Name: "text"}}
	b := &column.Batch{N: n, Cols: slices.Clone(cols)}
	b.Cols[3].Make(0)
	for i := range n {
		b.Cols[0].AppendInt(4_000_000_000_000_000 + int64(i)*1_000_003)
		b.Cols[1].AppendInt(4_000_000_000_000_000 - int64(i)*7919)
		b.Cols[2].AppendInt(int64(i / 1000))
		b.Cols[3].AppendBytes([]byte("same"))
	}
	src := open(t, write(t, Options{}, cols, b))
	if got := pageEncodings(t, write(t, Options{}, cols, b)); got[format.DeltaBinaryPacked] == 0 {
		t.Fatalf("the source has %v", got)
	}
	moved := slices.Clone(b.Cols[1].Ints)
	for i := range moved {
		moved[i]++
	}
	want := &column.Batch{N: n, Cols: slices.Clone(b.Cols)}
	want.Cols[1] = column.Column{Name: "to", Type: cols[1].Type, Ints: moved}
	for _, plain := range []bool{true, false} {
		var out bytes.Buffer
		w, err := NewWriter(&out, cols, Options{Plain: plain})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.CopyRowGroup(src, 0, map[string]*column.Column{"to": &want.Cols[1]}); err != nil {
			t.Fatal(err)
		}
		if err := w.CopyRowGroup(src, 0, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		checkCopied(t, out.Bytes(), []*column.Batch{want, b})
		if plain {
			checkPlain(t, out.Bytes())
		} else if got := pageEncodings(t, out.Bytes()); got[format.DeltaBinaryPacked] == 0 {
			t.Errorf("a compact file lost its encodings: %v", got)
		}
	}
}
