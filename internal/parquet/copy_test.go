package parquet

import (
	"bytes"
	"io"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

func TestCopyRowGroup(t *testing.T) {
	cols := allTypes()
	for seed := range uint64(9) {
		r := seeded(300 + seed)
		from := []string{"zstd", "snappy", "none"}[seed%3]
		to := []string{"zstd", "zstd", "none"}[seed%3]
		batches := []*column.Batch{randomBatch(r, cols, 900), randomBatch(r, cols, 3), randomBatch(r, cols, 250)}
		src := open(t, write(t, Options{Compression: from, PageRows: 100}, cols, batches...))

		// One column is new, one is gone, one is replaced in two of the groups.
		schema := append([]column.Column{{Name: "new", Type: column.Type{ID: column.Date}}}, cols[1:]...)
		var out bytes.Buffer
		w, err := NewWriter(&out, schema, Options{Compression: to})
		if err != nil {
			t.Fatal(err)
		}
		var want []*column.Batch
		for g, b := range batches {
			expect := &column.Batch{N: b.N, Cols: append([]column.Column{}, b.Cols...)}
			expect.Cols[0] = column.Column{Name: "new", Type: schema[0].Type}
			expect.Cols[0].Make(b.N)
			replace := map[string]*column.Column{}
			if g != 1 {
				c := randomBatch(r, cols[2:3], b.N).Cols[0]
				expect.Cols[2], replace[c.Name] = c, &c
			}
			want = append(want, expect)
			if err := w.CopyRowGroup(src, g, replace); err != nil {
				t.Fatal(err)
			}
		}
		extra := randomBatch(r, schema, 70)
		if err := w.WriteRowGroup(extra); err != nil {
			t.Fatal(err)
		}
		if info, err := w.Close(); err != nil || len(info.Groups) != 4 || info.Rows != 1223 {
			t.Fatal(info, err)
		}
		checkCopied(t, out.Bytes(), append(want, extra))
	}
}

// TestCopyKeepsEncodings replaces numbers: their encoding stays, but for a dictionary
// that would not pay.
func TestCopyKeepsEncodings(t *testing.T) {
	const n = 3000
	types := []column.Column{{Name: "i", Type: column.Type{ID: column.Int64}}, {Name: "d", Type: column.Type{ID: column.Date}}, {Name: "f", Type: column.Type{ID: column.Double}}}
	fill := func(value func(i int) int64) *column.Batch {
		b := &column.Batch{N: n, Cols: append([]column.Column{}, types...)}
		for i := range n {
			v := value(i)
			b.Cols[0].AppendInt(v)
			b.Cols[1].AppendInt(v % (1 << 20))
			b.Cols[2].Floats = append(b.Cols[2].Floats, float64(v))
		}
		return b
	}
	r := seeded(311)
	some := make([]int64, 40)
	for i := range some {
		some[i] = r.Int64N(1 << 53)
	}
	kinds := map[string]*column.Batch{
		"few":     fill(func(int) int64 { return some[r.IntN(len(some))] }),
		"rising":  fill(func(i int) int64 { return int64(i)*1000 + r.Int64N(900) }),
		"random":  fill(func(int) int64 { return r.Int64() }),
		"the one": fill(func(int) int64 { return 7 }),
	}
	for from, old := range kinds {
		for to, b := range kinds {
			src := open(t, write(t, Options{PageRows: 500}, types, old))
			var out bytes.Buffer
			w, err := NewWriter(&out, types, Options{PageRows: 500})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.CopyRowGroup(src, 0, map[string]*column.Column{"i": &b.Cols[0], "d": &b.Cols[1], "f": &b.Cols[2]}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			checkCopied(t, out.Bytes(), []*column.Batch{b})
			for i, c := range open(t, out.Bytes()).groups[0].columns {
				was, is := encodingOf(&src.groups[0].columns[i].MetaData), encodingOf(&c.MetaData)
				if few := to == "few" || to == "the one"; was != is && (was != format.RLEDictionary || few) {
					t.Errorf("column %s: from %s to %s rows the encoding goes from %s to %s", types[i].Name, from, to, was, is)
				}
			}
		}
	}
}

// checkCopied reads a file with both readers and checks its page indexes.
func checkCopied(t *testing.T, data []byte, want []*column.Batch) {
	t.Helper()
	got, err := readAll(data)
	if err == nil {
		err = same(got, want)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for g, rg := range f.RowGroups() {
		for i, chunk := range rg.ColumnChunks() {
			c := &want[g].Cols[i]
			err := sameValues(chunk, c)
			if err == nil {
				err = soundIndex(chunk, c)
			}
			if err != nil {
				t.Fatalf("group %d column %s: %v", g, c.Name, err)
			}
		}
	}
}

// TestCopyIsExact copies all row groups unchanged: the files are equal.
func TestCopyIsExact(t *testing.T) {
	data, _ := smallFile(t, "zstd")
	src := open(t, data)
	var out bytes.Buffer
	w, err := NewWriter(&out, src.Columns(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for g := range src.RowGroups() {
		if err := w.CopyRowGroup(src, g, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), data) {
		t.Fatal("a copy of all row groups is not the same file")
	}
}

// reads counts what is read at once.
type reads struct {
	io.ReaderAt
	most int
}

func (r *reads) ReadAt(b []byte, at int64) (int, error) {
	r.most = max(r.most, len(b))
	return r.ReaderAt.ReadAt(b, at)
}

// TestCopyLongChunks copies a chunk that is never in memory as a whole, with a page that is
// longer than what is read at once; what is damaged far behind is found.
func TestCopyLongChunks(t *testing.T) {
	r := seeded(7)
	long := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return string(b)
	}
	vals := make([]string, 3000)
	for i := range vals {
		vals[i] = long(4 << 10)
	}
	const longest = copiedAtOnce + copiedAtOnce/2
	vals[1500] = long(longest)
	b := batch(textCol("text", vals...), intCol("number", make([]int64, len(vals))...))
	data := write(t, Options{Compression: "none"}, b.Cols, b)
	from := &reads{ReaderAt: bytes.NewReader(data)}
	src, err := Open(from, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	from.most = 0
	copyAll := func(src *File) ([]byte, error) {
		var out bytes.Buffer
		w, err := NewWriter(&out, b.Cols, Options{Compression: "none"})
		if err == nil {
			err = w.CopyRowGroup(src, 0, nil)
		}
		if err == nil {
			_, err = w.Close()
		}
		return out.Bytes(), err
	}
	got, err := copyAll(src)
	if err != nil {
		t.Fatal(err)
	}
	checkCopied(t, got, []*column.Batch{b})
	if from.most > longest+64<<10 {
		t.Errorf("%d bytes were read at once", from.most)
	}
	for _, at := range []int{1 << 20, 7 << 20, 14 << 20} {
		bad := bytes.Clone(data)
		bad[at] ^= 1
		if _, err := copyAll(open(t, bad)); err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("damaged at %d: %v", at, err)
		}
	}
}

// TestCopyVerifies damages every byte: what is copied is the same or refused.
func TestCopyVerifies(t *testing.T) {
	data, want := smallFile(t, "snappy")
	for at := 0; at < len(data); at += 3 {
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at % 8)
		src, err := Open(bytes.NewReader(bad), int64(len(bad)))
		if err != nil {
			continue
		}
		var out bytes.Buffer
		w, err := NewWriter(&out, src.Columns(), Options{Compression: "snappy"})
		if err != nil {
			t.Fatal(err)
		}
		for g := range src.RowGroups() {
			if err = w.CopyRowGroup(src, g, nil); err != nil {
				break
			}
		}
		if err != nil {
			continue
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(out.Bytes())
		if err != nil {
			continue // a page header: reading refuses what copying cannot see
		}
		if err := same(got, want); err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	b := batch(textCol("a", "x", "y"), intCol("b", 1, 2))
	src := open(t, write(t, Options{}, b.Cols, b))
	wrong, short := textCol("b", "1", "2"), intCol("b", 1)
	for _, x := range []struct {
		schema  []column.Column
		group   int
		replace map[string]*column.Column
		want    string
	}{
		{b.Cols, 1, nil, "row group 1 of a Parquet file that has 1"},
		{b.Cols, 0, map[string]*column.Column{"b": &wrong}, "replacement b string for column b int64"},
		{b.Cols, 0, map[string]*column.Column{"b": &short}, `column "b" has 1 rows`},
		{b.Cols, 0, map[string]*column.Column{"c": &short}, "no column of the schema"},
		{[]column.Column{{Name: "b"}}, 0, nil, `column "b" is int64 in the Parquet file, not string`},
	} {
		w, err := NewWriter(&bytes.Buffer{}, x.schema, Options{})
		if err == nil {
			err = w.CopyRowGroup(src, x.group, x.replace)
		}
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q", err, x.want)
		}
	}
}

func BenchmarkCopy(b *testing.B) {
	rows := analytics(128 << 10)
	f := open(b, write(b, Options{}, rows.Cols, rows))
	user := rows.Cols[0]
	var out counter
	w, err := NewWriter(&out, rows.Cols, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.CopyRowGroup(f, 0, map[string]*column.Column{"user_id": &user}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows.N)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
