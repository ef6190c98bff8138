package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"

	"reconcile/internal/column"
)

func TestRoundTrip(t *testing.T) {
	cols := allTypes()
	sizes := []int{1, 2, 7, 8, 9, 100, 1000, 20001, 3}
	var pool Pool
	var got column.Batch
	for seed := range uint64(24) {
		r := seeded(seed)
		o := Options{
			Compression: []string{"zstd", "snappy", "none"}[seed%3],
			PageRows:    []int{0, 1000, 13}[seed/3%3],
			Parallel:    int(seed % 4),
			Pool:        &pool,
			Metadata:    map[string]string{"b": "", "reconcile.commit": "x"},
			CreatedBy:   "test 1",
		}
		var batches []*column.Batch
		for range 1 + r.IntN(3) {
			batches = append(batches, randomBatch(r, cols, sizes[r.IntN(len(sizes))]))
		}
		f := open(t, write(t, o, cols, batches...))
		if f.RowGroups() != len(batches) || f.CreatedBy() != "test 1" || len(f.Metadata()) != 2 || f.Metadata()["reconcile.commit"] != "x" {
			t.Fatalf("%d groups, %q, %v", f.RowGroups(), f.CreatedBy(), f.Metadata())
		}
		var rows int64
		for g, b := range batches {
			if err := f.ReadRowGroup(g, nil, &got); err != nil {
				t.Fatalf("seed %d group %d: %v", seed, g, err)
			}
			checkBatch(t, &got, b)
			if f.GroupRows(g) != b.N {
				t.Fatal(f.GroupRows(g))
			}
			rows += int64(b.N)
		}
		if f.Rows() != rows {
			t.Fatal(f.Rows(), rows)
		}
	}
}

func TestRestoresTypes(t *testing.T) {
	cols := allTypes()
	f := open(t, write(t, Options{}, cols))
	if f.RowGroups() != 0 || f.Rows() != 0 {
		t.Fatal(f.RowGroups(), f.Rows())
	}
	for i, c := range f.Columns() {
		if c.Name != cols[i].Name || c.Type != cols[i].Type {
			t.Errorf("column %d is %s %s, want %s %s", i, c.Name, c.Type, cols[i].Name, cols[i].Type)
		}
	}
}

func textCol(name string, vals ...string) column.Column {
	c := column.Column{Name: name}
	c.Make(0)
	for _, v := range vals {
		c.AppendBytes([]byte(v))
	}
	return c
}

func intCol(name string, vals ...int64) column.Column {
	return column.Column{Name: name, Type: column.Type{ID: column.Int64}, Ints: vals}
}

func batch(cols ...column.Column) *column.Batch {
	return &column.Batch{N: cols[0].Len(), Cols: cols}
}

func TestWantedColumns(t *testing.T) {
	b := batch(textCol("a", "x", "y"), intCol("b", 1, 2), textCol("c", "", "z"))
	f := open(t, write(t, Options{}, b.Cols, b))
	var got column.Batch
	want := []column.Column{{Name: "c"}, {Name: "none", Type: column.Type{ID: column.Date}}, {Name: "b", Type: column.Type{ID: column.Int64}}}
	for range 2 { // the second time into used memory
		if err := f.ReadRowGroup(0, want, &got); err != nil {
			t.Fatal(err)
		}
		nulls := column.Column{Name: "none", Type: column.Type{ID: column.Date}}
		nulls.Make(2)
		checkBatch(t, &got, batch(b.Cols[2], nulls, b.Cols[1]))
	}
	if err := f.ReadRowGroup(0, nil, &got); err != nil {
		t.Fatal(err)
	}
	checkBatch(t, &got, b)
	err := f.ReadRowGroup(0, []column.Column{{Name: "b"}}, &got)
	if err == nil || !strings.Contains(err.Error(), `column "b" is int64 in the Parquet file, not string`) {
		t.Fatal(err)
	}
	if err := f.ReadRowGroup(1, nil, &got); err == nil {
		t.Fatal("read a row group that is not there")
	}
}

// TestSharedDictionary has one dictionary with unused values and duplicates,
// of which each row group uses a part.
func TestSharedDictionary(t *testing.T) {
	c := column.Column{Name: "s"}
	c.Make(0)
	for i := range 30000 { // beyond the size where look-ups stop
		c.AppendBytes(fmt.Appendf(nil, "value %d", i%20000))
	}
	for i := range 30000 {
		c.AppendBytes(fmt.Appendf(nil, "value %d", i%50))
	}
	if c.Dict.Len() < 40000 {
		t.Fatalf("the dictionary has only %d entries; the test needs duplicates", c.Dict.Len())
	}
	var groups []*column.Batch
	for _, cut := range [][2]int{{30000, 60000}, {0, 10}, {100, 20000}, {0, 60000}, {59999, 60000}} {
		g := c
		g.Codes = c.Codes[cut[0]:cut[1]]
		groups = append(groups, batch(g))
	}
	data := write(t, Options{}, []column.Column{c}, groups...)
	f := open(t, data)
	var got column.Batch
	for i, g := range groups {
		if err := f.ReadRowGroup(i, nil, &got); err != nil {
			t.Fatal(err)
		}
		checkBatch(t, &got, g)
	}
	if n := got.Cols[0].Dict.Len(); n != 2 {
		t.Errorf("the last row group brought %d codes, want 2", n)
	}
	if size := f.ChunkBytes(0, "s"); size > 2000 {
		t.Errorf("50 distinct values take %d bytes: duplicates were kept", size)
	}
}

func TestLargeTexts(t *testing.T) {
	huge := strings.Repeat("0123456789abcdef", 1<<16)
	b := batch(textCol("a", huge+"1", "", huge+"2", huge+"1", "x"), textCol("b", huge, huge, huge, huge, huge))
	for _, comp := range []string{"zstd", "snappy", "none"} {
		f := open(t, write(t, Options{Compression: comp}, b.Cols, b))
		var got column.Batch
		if err := f.ReadRowGroup(0, nil, &got); err != nil {
			t.Fatal(comp, err)
		}
		checkBatch(t, &got, b)
	}
}

func TestSpecialDoubles(t *testing.T) {
	for _, vals := range [][]float64{
		{math.NaN()}, {1, math.NaN(), 2}, {math.Inf(-1), math.Inf(1)}, {0}, {math.Copysign(0, -1)}, {0, 1}, {-1, math.Copysign(0, -1)}} {
		b := batch(column.Column{Name: "d", Type: column.Type{ID: column.Double}, Floats: vals})
		f := open(t, write(t, Options{}, b.Cols, b))
		var got column.Batch
		if err := f.ReadRowGroup(0, nil, &got); err != nil {
			t.Fatal(err)
		}
		checkBatch(t, &got, b)
		s := f.groups[0].columns[0].MetaData.Statistics
		hasNaN := false
		for _, v := range vals {
			hasNaN = hasNaN || v != v
		}
		if hasNaN != (s.MinValue == nil) || hasNaN != (s.MaxValue == nil) {
			t.Errorf("%v: statistics %v to %v", vals, s.MinValue, s.MaxValue)
		}
		if c := f.groups[0].columns[0]; hasNaN != (c.ColumnIndexLength == 0) {
			t.Errorf("%v: column index of %d bytes", vals, c.ColumnIndexLength)
		}
		if vals[0] == 0 && (s.MinValue[7] != 0x80 || len(vals) == 1 && s.MaxValue[7] != 0) {
			t.Errorf("%v: zero bounds %v to %v", vals, s.MinValue, s.MaxValue)
		}
	}
}

func TestBounds(t *testing.T) {
	typ := func(s string) column.Type {
		ty, err := column.ParseType(s)
		if err != nil {
			t.Fatal(err)
		}
		return ty
	}
	for _, s := range []string{"int64", "timestamp", "date", "decimal(5,2)", "decimal(18,2)"} {
		c := column.Column{Name: "x", Type: typ(s), Ints: []int64{5, -7, 0, 3}, Null: []bool{false, false, true, false}}
		n := column.Column{Name: "n", Type: typ(s)}
		n.Make(4)
		b := batch(c, n)
		f := open(t, write(t, Options{PageRows: 2}, b.Cols, b))
		if lo, hi, ok := f.Bounds(0, "x"); lo != -7 || hi != 5 || !ok {
			t.Errorf("%s: %d to %d, %t", s, lo, hi, ok)
		}
		for _, name := range []string{"n", "none"} {
			if _, _, ok := f.Bounds(0, name); ok {
				t.Errorf("%s: bounds of %s", s, name)
			}
		}
	}
	c := column.Column{Name: "x", Type: typ("boolean"), Ints: []int64{1, 1}}
	f := open(t, write(t, Options{}, []column.Column{c}, batch(c)))
	if lo, hi, ok := f.Bounds(0, "x"); lo != 1 || hi != 1 || !ok {
		t.Errorf("boolean: %d to %d, %t", lo, hi, ok)
	}
}

func TestRefuses(t *testing.T) {
	date := column.Type{ID: column.Date}
	wide := column.Column{Name: "d", Type: date, Ints: []int64{1 << 31}}
	short := column.Column{Name: "d", Type: column.Type{ID: column.Decimal, Precision: 20}, Codes: []uint32{1}, Dict: column.NewDict()}
	short.Dict.Add([]byte("x"))
	stray := column.Column{Name: "d", Codes: []uint32{9}, Dict: column.NewDict()}
	for _, x := range []struct {
		b    *column.Batch
		cols []column.Column
		want string
	}{
		{batch(wide), nil, "do not fit the 32 bits of a date"},
		{batch(short), nil, "has 1 bytes, not 16"},
		{batch(stray), nil, "code 9 is not in the dictionary"},
		{batch(intCol("a", 1)), []column.Column{{Name: "b", Type: column.Type{ID: column.Int64}}}, "of the batch is a int64, of the file b int64"},
		{batch(intCol("a", 1)), []column.Column{{Name: "a"}}, "of the file a string"},
		{&column.Batch{N: 2, Cols: batch(intCol("a", 1)).Cols}, nil, "1 rows"},
		{batch(intCol("a", 1)), append(batch(intCol("a", 1)).Cols, textCol("b")), "a batch of 1 columns"},
	} {
		cols := x.cols
		if cols == nil {
			cols = x.b.Cols
		}
		w, err := NewWriter(&bytes.Buffer{}, cols, Options{})
		if err == nil {
			err = w.WriteRowGroup(x.b)
		}
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q", err, x.want)
		}
	}
	for _, o := range []Options{{Compression: "lz4"}, {Metadata: map[string]string{"reconcile.types": ""}}} {
		if _, err := NewWriter(&bytes.Buffer{}, []column.Column{{Name: "a"}}, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	for _, cols := range [][]column.Column{nil, {{}}, {{Name: "a"}, {Name: "a"}}} {
		if _, err := NewWriter(&bytes.Buffer{}, cols, Options{}); err == nil {
			t.Errorf("%+v is taken", cols)
		}
	}
}

func TestConcurrentReads(t *testing.T) {
	var batches []*column.Batch
	for seed := range uint64(6) {
		batches = append(batches, randomBatch(seeded(seed), allTypes(), 300))
	}
	f := open(t, write(t, Options{}, allTypes(), batches...))
	var wg sync.WaitGroup
	for g := range batches {
		wg.Go(func() {
			var got column.Batch
			for range 5 {
				if err := f.ReadRowGroup(g, nil, &got); err != nil {
					t.Error(err)
					return
				}
				if err := same([]*column.Batch{&got}, batches[g:g+1]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

type failing struct{ after int }

func (f *failing) Write(b []byte) (int, error) {
	if f.after -= len(b); f.after < 0 {
		return 0, fmt.Errorf("disk full")
	}
	return len(b), nil
}

func TestWriteErrorSticks(t *testing.T) {
	b := randomBatch(seeded(1), allTypes(), 3000)
	whole := len(write(t, Options{}, b.Cols, b))
	for after := 0; after < whole; after += 997 {
		w, err := NewWriter(&failing{after}, b.Cols, Options{Parallel: after % 3})
		if err == nil {
			_ = w.WriteRowGroup(b)
			_, err = w.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Fatalf("after %d bytes: %v", after, err)
		}
	}
}

// TestInvalidTexts reads texts that are no valid UTF-8, and says which.
func TestInvalidTexts(t *testing.T) {
	for at := range 30 {
		vals := make([]string, 40)
		for i := range vals {
			vals[i] = fmt.Sprint("a text of ASCII, ", i)
		}
		vals[at] += "\xff"
		b := batch(textCol("a", vals...))
		var got column.Batch
		if err := open(t, write(t, Options{PageRows: 8}, b.Cols, b)).ReadRowGroup(0, nil, &got); err != nil {
			t.Fatal(err)
		}
		c := &got.Cols[0]
		if bad := c.Dict.Invalid(); len(bad) != 1 || bad[0] != c.Codes[at] {
			t.Fatalf("invalid codes %v, want that of row %d, %d", bad, at, c.Codes[at])
		}
	}
}

// TestWriteColumns writes row groups column by column, each in the same memory: the
// file is the one that whole row groups make.
func TestWriteColumns(t *testing.T) {
	cols := allTypes()
	r := seeded(90)
	batches := []*column.Batch{randomBatch(r, cols, 900), randomBatch(r, cols, 3), randomBatch(r, cols, 0), randomBatch(r, cols, 70)}
	var out bytes.Buffer
	w, err := NewWriter(&out, cols, Options{PageRows: 100})
	if err != nil {
		t.Fatal(err)
	}
	var g column.Gatherer
	for k, b := range batches {
		if k == 1 {
			if err := w.WriteRowGroup(b); err != nil {
				t.Fatal(err)
			}
			continue
		}
		selection := make([]column.SourceRow, b.N)
		for i := range selection {
			selection[i].Row = uint32(i)
		}
		var c column.Column
		err := w.WriteColumns(b.N, func(i int) (*column.Column, error) {
			c.Name, c.Type = cols[i].Name, cols[i].Type
			c.Reset()
			g.Column(&c, []*column.Column{&b.Cols[i]}, selection)
			return &c, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := write(t, Options{PageRows: 100}, cols, batches...); !bytes.Equal(out.Bytes(), want) {
		t.Error("it is another file")
	}
}

func TestWriteColumnsRefuses(t *testing.T) {
	cols := []column.Column{intCol("a"), intCol("b")}
	broken := errors.New("broken")
	for name, next := range map[string]func(i int) (*column.Column, error){
		"has 1 rows":       func(i int) (*column.Column, error) { c := intCol(cols[i].Name, 1); return &c, nil },
		"of the file b":    func(int) (*column.Column, error) { c := intCol("a", 1, 2); return &c, nil },
		broken.Error():     func(int) (*column.Column, error) { return nil, broken },
		"of the file a in": func(int) (*column.Column, error) { c := textCol("a", "x", "y"); return &c, nil },
	} {
		w, err := NewWriter(io.Discard, cols, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteColumns(2, next); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want one with %q", err, name)
		}
		if _, err := w.Close(); err == nil {
			t.Errorf("%s: the file was closed all the same", name)
		}
	}
}
