package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"reconcile/engine/model"
)

// TestAllocationsPerRow holds the number of allocations of an apply against
// the number of its rows. What an apply costs anyway is in both measurements
// and so in neither difference. What a row may cost is little more than it did
// when this was written: blocks, batches and growing buffers, spread over their rows.
func TestAllocationsPerRow(t *testing.T) {
	const few, many = 20_000, 60_000
	for _, c := range []struct {
		name string
		base int // rows that are there before, in the same partitions
		most float64
	}{
		{"bulk", 0, 0.04},
		{"delta", 40_000, 0.04},
	} {
		t.Run(c.name, func(t *testing.T) {
			countApply(t, 100, 100) // what is allocated once in a process
			a, b := leastApply(t, c.base, few), leastApply(t, c.base, many)
			slope := (float64(b) - float64(a)) / (many - few)
			t.Logf("%d allocations for %d rows, %d for %d: %.4f a row", a, few, b, many, slope)
			if slope >= c.most {
				t.Errorf("%.4f allocations for every row, want less than %v", slope, c.most)
			}
		})
	}
}

// leastApply is the least of some counts, without collections of garbage: these empty
// pools, at moments that vary.
func leastApply(t *testing.T, base, n int) uint64 {
	t.Helper()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	least := countApply(t, base, n)
	for range 4 {
		least = min(least, countApply(t, base, n))
	}
	return least
}

// countApply returns the allocations of the apply of n rows on top of base, of
// which half are delivered again when there are any.
func countApply(t *testing.T, base, n int) uint64 {
	t.Helper()
	h := newHarness(t, "table \"pageviews\" {\n sinks = [sink.parquet.lake]\n partition_by = [date(time)]\n}\n")
	if base > 0 {
		h.arrive(plainDump(1, 0, base))
		mustApply(t, h, base)
	}
	h.arrive(plainDump(2, max(base-n/2, 0), n))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	mustApply(t, h, n)
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

func mustApply(t *testing.T, h *harness, read int) {
	t.Helper()
	res, err := h.apply()
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Tables) != 1 || res.Tables[0].Counts.Read != int64(read) {
		t.Fatalf("the apply did not read %d rows of one table: %+v", read, res)
	}
}

// plainDump is a delivery of n ordinary rows: texts that repeat and texts that
// do not, numbers, nulls, times of four days, a tenth of the events twice.
func plainDump(id int64, first, n int) *model.Dump {
	null := func(typ string) any { return []any{"null", typ} }
	f := &model.File{
		Key:   fmt.Sprintf("sync_%d/part-0.avro", id),
		Codec: "snappy", BlockRows: 200,
		Fields: []model.Field{
			{Name: "event_id", Type: null("long")}, {Name: "user_id", Type: null("long")}, {Name: "time", Type: null("string")},
			{Name: "path", Type: null("string")}, {Name: "request", Type: null("string")}, {Name: "browser", Type: null("string")},
			{Name: "visits", Type: null("long")}, {Name: "city", Type: null("string")}, {Name: "nothing", Type: null("string")},
		},
	}
	rng := rand.New(rand.NewPCG(1, uint64(id)))
	for i := range n {
		event, city := int64(first+i), any("City "+strconv.Itoa(i%300))
		if i%10 == 9 {
			event--
		}
		if i%7 == 0 {
			city = nil
		}
		user := event/8*7919 + 1
		ms := 1_767_225_600_000 + rng.Int64N(4*24*60*60*1000)
		f.Rows = append(f.Rows, []any{
			event, user, strconv.FormatInt(ms, 10), "/item/" + strconv.Itoa(rng.IntN(900)), strconv.FormatUint(rng.Uint64(), 36),
			"Browser " + strconv.Itoa(int(user%40)), rng.Int64N(1000), city, nil,
		})
	}
	columns := make([]string, len(f.Fields))
	for i, fd := range f.Fields {
		columns[i] = fd.Name
	}
	return &model.Dump{ID: id, Entries: []model.Entry{{Table: "pageviews", Incremental: model.Bool(id > 1), Columns: columns, Files: []*model.File{f}}}}
}
