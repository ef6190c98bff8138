package engine

import "testing"

// A plan says what an apply takes in scratch_dir, of a load and of a rewrite, if it
// does not fit in memory.
func TestPlanAnnouncesScratch(t *testing.T) {
	h := newHarness(t, "table \"pageviews\" {\n sinks = [sink.parquet.lake]\n partition_by = [date(time)]\n}\n")
	scratch := func(memory int) int64 {
		t.Helper()
		h.tuning = Tuning{Memory: memory}
		p, err := h.engine().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		return p.Tables[0].Scratch
	}
	h.arrive(plainDump(1, 0, 5_000))
	if small, large := scratch(1<<10), scratch(0); small < 50_000 || large != 0 {
		t.Errorf("a load of 5,000 rows is to take %d bytes with little memory, %d with much", small, large)
	}
	h.must()
	h.arrive(plainDump(2, 5_000, 10))
	if n := scratch(1 << 20); n != 0 {
		t.Errorf("a few rows are to take %d bytes", n)
	}
	h.hcl = "table \"pageviews\" {\n sinks = [sink.parquet.lake]\n}\n"
	if n := scratch(1 << 10); n < 50_000 {
		t.Errorf("writing the table anew is to take %d bytes", n)
	}
}
