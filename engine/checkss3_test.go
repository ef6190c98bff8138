package engine

import (
	"testing"

	"reconcile/engine/model"
)

// TestChecksOnS3: what is staged in a bucket is judged there, and goes when it is held.
func TestChecksOnS3(t *testing.T) {
	a, _ := gatedBed(t, "table \"e\" {\n sinks = [sink.parquet.lake]\n partition_by = [year(time), month(time)]\n}\ntable \"users\" { sinks = [sink.parquet.lake] }\n"+
		oneCheck("price", `not_null = ["price"]`)+oneCheck("once", `unique = ["price"]`)+oneCheck("known", `users {}`))
	rows := func(rows ...[]any) *model.File { return avroPart("event_id user_id price time", rows...) }
	a.held(a.run(dumpOf(1, full("e", rows(row(1, 1, "a", "2026-01-05"))), more("users", avroPart("user_id joindate", row(1, "5"))))))
	res := a.run(dumpOf(2, more("e", rows(row(2, 1, nil, "2026-02-05"), row(3, 2, "a", "2026-02-05")))))
	a.found(res, "price 1/2 2,null@2", "once 1/2 3,a@2", "known 1/2 3,2@2")
	a.held(res, "e 2 check.price", "e 2 check.once", "e 2 check.known")
	a.want("e", "event_id price", "1 a")
	if left := a.staged(); len(left) > 0 {
		t.Errorf("staged files are left: %q", left)
	}
	a.checkIdle()
	a.held(a.run(dumpOf(3, more("e", rows(row(2, 1, "b", "2026-02-05"), row(3, 2, "c", "2026-02-05"))), more("users", avroPart("user_id joindate", row(2, "5"))))))
	a.want("e", "event_id price", "1 a", "2 b", "3 c")
}
