package parquet

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"reconcile/internal/column"
)

// analytics is a row group as exports of web analytics have it, sorted by
// user: 35 columns, most of them text of few distinct values.
func analytics(n int) *column.Batch {
	r := seeded(9)
	b := &column.Batch{N: n}
	i64 := column.Type{ID: column.Int64}
	add := func(name string, t column.Type, next func(i int, c *column.Column)) {
		c := column.Column{Name: name, Type: t}
		c.Make(0)
		for i := range n {
			next(i, &c)
		}
		b.Cols = append(b.Cols, c)
	}
	user, left := int64(0), 0
	users := make([]int64, n)
	for i := range users {
		if left == 0 {
			left = 1 + r.IntN(20)
			user += r.Int64N(1 << 37)
		}
		left--
		users[i] = user
	}
	add("user_id", i64, func(i int, c *column.Column) { c.AppendInt(users[i]) })
	add("event_id", i64, func(_ int, c *column.Column) { c.AppendInt(r.Int64N(1 << 53)) })
	add("session_id", i64, func(i int, c *column.Column) { c.AppendInt(users[i]*7919%(1<<53) + int64(i/5%3)) })
	add("time", column.Type{ID: column.Timestamp}, func(_ int, c *column.Column) { c.AppendInt(1_700_000_000_000 + r.Int64N(86_400_000)) })
	add("_raw_user_id", i64, func(i int, c *column.Column) { c.AppendInt(users[i] + r.Int64N(50)/49) })
	add("_dump_id", i64, func(i int, c *column.Column) { c.AppendInt(1200 + users[i]%5) })
	for k, distinct := range []int{2, 3, 4, 5, 8, 12, 20, 40, 90, 200, 400, 1000, 3, 6, 10, 30, 60, 150, 2, 700} {
		add(fmt.Sprint("low", k), column.Type{}, perUser(r, users, func(r *rand.Rand) []byte {
			return fmt.Appendf(nil, "Some value %d", int(float64(distinct)*r.Float64()*r.Float64()))
		}, k%3 == 0))
	}
	for k, distinct := range []int{3000, 20000, 100000} {
		add(fmt.Sprint("url", k), column.Type{}, perUser(r, users, func(r *rand.Rand) []byte {
			return fmt.Appendf(nil, "https://www.example.com/products/%d/details?ref=mail", int(float64(distinct)*r.Float64()*r.Float64()))
		}, false))
	}
	for k := range 5 { // mostly null
		add(fmt.Sprint("rare", k), column.Type{}, func(_ int, c *column.Column) {
			if r.IntN(20) > 0 {
				c.AppendNulls(1)
				return
			}
			c.AppendBytes(fmt.Appendf(nil, "campaign-%d", r.IntN(300)))
		})
	}
	add("unique", column.Type{}, func(_ int, c *column.Column) { c.AppendBytes(fmt.Appendf(nil, "%016x", r.Uint64())) })
	return b
}

// perUser draws text for a row, or the same for all rows of a user.
func perUser(_ *rand.Rand, users []int64, draw func(*rand.Rand) []byte, fixed bool) func(int, *column.Column) {
	return func(i int, c *column.Column) {
		seed := uint64(users[i])
		if !fixed {
			seed += uint64(i) << 40
		}
		c.AppendBytes(draw(seeded(seed)))
	}
}

type benchCase struct {
	name  string
	comp  string
	level int
}

var benchCases = []benchCase{{"none", "none", 0}, {"snappy", "snappy", 0}, {"zstd1", "zstd", 1}, {"zstd3", "zstd", 3}, {"zstd7", "zstd", 7}}

// counter counts what is written to it.
type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func BenchmarkWrite(b *testing.B) {
	rows := analytics(128 << 10)
	for _, x := range benchCases {
		b.Run(x.name, func(b *testing.B) {
			var out counter
			w, err := NewWriter(&out, rows.Cols, Options{Compression: x.comp, Level: x.level})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				out = 0
				if err := w.WriteRowGroup(rows); err != nil {
					b.Fatal(err)
				}
				n = int(out)
			}
			b.ReportMetric(float64(rows.N)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(n)/float64(rows.N), "B/row")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	rows := analytics(128 << 10)
	for _, x := range benchCases {
		b.Run(x.name, func(b *testing.B) {
			data := write(b, Options{Compression: x.comp, Level: x.level}, rows.Cols, rows)
			f := open(b, data)
			var got column.Batch
			b.ReportAllocs()
			for b.Loop() {
				if err := f.ReadRowGroup(0, nil, &got); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows.N)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkSmall writes and reads whole files of few rows.
func BenchmarkSmall(b *testing.B) {
	rows := analytics(500)
	for name, pool := range map[string]*Pool{"alone": nil, "pool": new(Pool)} {
		b.Run("write/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				write(b, Options{Pool: pool}, rows.Cols, rows)
			}
		})
	}
	data := write(b, Options{}, rows.Cols, rows)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		var got column.Batch
		for b.Loop() {
			if err := open(b, data).ReadRowGroup(0, nil, &got); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			open(b, data)
		}
	})
}
