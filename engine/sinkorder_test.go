package engine

import "testing"

// Sinks that the configuration lists in another order hold what they held.
func TestSinksInAnotherOrder(t *testing.T) {
	conf := func(order string) string {
		return "sink \"parquet\" \"other\" {\n path = \"../other\"\n compression = \"snappy\"\n}\n" +
			"table \"pageviews\" {\n sinks = [" + order + "]\n partition_by = [date(time)]\n}\n"
	}
	h := newHarness(t, conf("sink.parquet.lake, sink.parquet.other"))
	h.arrive(plainDump(1, 0, 400))
	h.must()
	h.hcl = conf("sink.parquet.other, sink.parquet.lake")
	h.checkIdle()
	h.arrive(plainDump(2, 400, 1)) // one of four partitions
	h.must()
	h.arrive(plainDump(3, 401, 1))
	h.must()
	p, err := h.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Changes() {
		t.Errorf("there is something to do: %+v", p.Tables[0])
	}
}
