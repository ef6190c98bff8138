package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"reconcile/internal/column"
)

// allTypes is one column of every type and form, with several shapes of text
// and numbers.
func allTypes() []column.Column {
	names := []string{"string", "json", "int64", "double", "boolean", "timestamp", "date",
		"decimal(5,2)", "decimal(9,0)", "decimal(10,3)", "decimal(18,18)", "decimal(19,4)", "decimal(38,10)"}
	var cols []column.Column
	for _, n := range names {
		t, err := column.ParseType(n)
		if err != nil {
			panic(err)
		}
		cols = append(cols, column.Column{Name: "c_" + n, Type: t})
	}
	return cols
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// shape says how the values of a random column are drawn.
type shape struct {
	nulls    float64
	distinct int // 0: nearly all
	run      int // how often a value is repeated on average
	sorted   bool
	text     int // bytes of a text at most
}

func randomShape(r *rand.Rand) shape {
	pick := func(v ...float64) float64 { return v[r.IntN(len(v))] }
	return shape{
		nulls:    pick(0, 0, 0.1, 0.5, 0.99, 1),
		distinct: int(pick(0, 1, 2, 3, 17, 300, 5000)),
		run:      int(pick(1, 1, 3, 40, 1000)),
		sorted:   r.IntN(2) == 0,
		text:     int(pick(0, 8, 40, 300)),
	}
}

// randomBatch draws n rows for cols.
func randomBatch(r *rand.Rand, cols []column.Column, n int) *column.Batch {
	b := &column.Batch{N: n, Cols: make([]column.Column, len(cols))}
	for i := range cols {
		b.Cols[i] = column.Column{Name: cols[i].Name, Type: cols[i].Type}
		fillColumn(r, &b.Cols[i], n, randomShape(r))
	}
	return b
}

func fillColumn(r *rand.Rand, c *column.Column, n int, s shape) {
	c.Make(0)
	if s.nulls > 0 && c.Type.Kind() != column.KindBytes {
		c.Null = []bool{}
	}
	var seed uint64
	for i := range n {
		if i == 0 || r.IntN(s.run) == 0 {
			switch {
			case s.sorted:
				seed++
			default:
				seed = r.Uint64()
			}
			if s.distinct > 0 {
				seed %= uint64(s.distinct)
			}
		}
		if r.Float64() < s.nulls {
			c.AppendNulls(1)
			continue
		}
		appendValue(seeded(seed), c, s.text)
	}
}

func appendValue(r *rand.Rand, c *column.Column, text int) {
	switch c.Type.ID {
	case column.String, column.JSON:
		v := fmt.Appendf(nil, "https://example.com/%x", r.Uint64())
		v = append(v, bytes.Repeat([]byte("aé漢😀"), r.IntN(text+1)/4)...)
		c.AppendBytes(bytes.ToValidUTF8(v[min(len(v), r.IntN(3)*r.IntN(40)):], nil))
	case column.Double:
		v := []float64{r.NormFloat64(), float64(r.IntN(1000)) / 100, 0, math.Copysign(0, -1), math.Inf(1), math.MaxFloat64}
		c.AppendFloat(v[r.IntN(len(v))])
	case column.Boolean:
		c.AppendInt(int64(r.IntN(2)))
	case column.Date:
		c.AppendInt(int64(r.IntN(80000) - 20000))
	case column.Decimal:
		appendDecimal(r, c)
	default:
		v := []int64{r.Int64(), r.Int64() >> 40, -r.Int64(), math.MinInt64, math.MaxInt64, 1_700_000_000_000 + r.Int64N(1e9)}
		c.AppendInt(v[r.IntN(len(v))])
	}
}

func appendDecimal(r *rand.Rand, c *column.Column) {
	if c.Type.Kind() == column.KindInt64 {
		limit := int64(math.Pow10(c.Type.Precision))
		c.AppendInt(r.Int64N(2*limit) - limit + 1)
		return
	}
	hi, lo := r.Int64()>>(r.IntN(30)+2), r.Uint64() // of 38 digits at most
	if c.Type.Precision < 38 {
		hi = 0 // of 19 digits at most
		lo %= 1e19
	}
	if r.IntN(2) == 0 {
		hi, lo = ^hi, ^lo
	}
	var v [16]byte
	binary.BigEndian.PutUint64(v[:], uint64(hi))
	binary.BigEndian.PutUint64(v[8:], lo)
	c.AppendBytes(v[:])
}

// write returns the file that holds the batches, a row group each.
func write(t testing.TB, o Options, schema []column.Column, batches ...*column.Batch) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, schema, o)
	if err != nil {
		t.Fatal(err)
	}
	rows, groups := 0, 0
	for _, b := range batches {
		if err := w.WriteRowGroup(b); err != nil {
			t.Fatal(err)
		}
		if rows += b.N; b.N > 0 {
			groups++
		}
	}
	info, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if info.Rows != int64(rows) || info.Bytes != int64(out.Len()) || len(info.Groups) != groups {
		t.Fatalf("Close says %+v of %d rows in %d row groups, %d bytes", info, rows, groups, out.Len())
	}
	return out.Bytes()
}

func open(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// differ tells where two columns differ, "" when they have the same values.
func differ(got, want *column.Column) string {
	if got.Name != want.Name || got.Type != want.Type || got.Len() != want.Len() {
		return fmt.Sprintf("%s %s of %d rows, want %s %s of %d rows",
			got.Name, got.Type, got.Len(), want.Name, want.Type, want.Len())
	}
	for i := range want.Len() {
		if got.IsNull(i) != want.IsNull(i) {
			return fmt.Sprintf("%s row %d: null is %t, want %t", got.Name, i, got.IsNull(i), want.IsNull(i))
		}
		same := true
		switch want.Type.Kind() {
		case column.KindBytes:
			same = bytes.Equal(got.Bytes(i), want.Bytes(i))
		case column.KindInt64:
			same = got.Ints[i] == want.Ints[i]
		case column.KindDouble:
			same = math.Float64bits(got.Floats[i]) == math.Float64bits(want.Floats[i])
		}
		if !same {
			return fmt.Sprintf("%s row %d: another value", got.Name, i)
		}
	}
	return ""
}

func checkBatch(t testing.TB, got, want *column.Batch) {
	t.Helper()
	if got.N != want.N || len(got.Cols) != len(want.Cols) {
		t.Fatalf("%d rows of %d columns, want %d of %d", got.N, len(got.Cols), want.N, len(want.Cols))
	}
	for i := range want.Cols {
		if d := differ(&got.Cols[i], &want.Cols[i]); d != "" {
			t.Fatal(d)
		}
	}
}
