package engine

import (
	"fmt"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
)

// keyed is lakeTables with a mask that has a key.
func keyed(key string) string {
	return fmt.Sprintf("mask \"pii\" {\n  columns = [\"email\"]\n  method = \"hmac-sha256\"\n  key = %q\n  optional = true\n}\n", key) + lakeTables
}

// mails is a part file of events of user 1 with an email each.
func mails(from, to int) *model.File {
	var rows [][]any
	for k := from; k <= to; k++ {
		rows = append(rows, row(k, 1, "a@b"))
	}
	return avroPart("event_id user_id email", rows...)
}

// hashes are the emails that a table shows.
func (a *bed) hashes(folder string) string { return strings.Join(a.got(folder, "email"), ",") }

// guardedPlan applies what some guard of plans holds, and checks that it is idle then.
func (a *bed) guardedPlan(holds ...string) {
	a.t.Helper()
	res := a.run()
	a.held(res, holds...)
	if plan.HeldByGuard(res.Holds) != (len(holds) > 0) {
		a.t.Errorf("the exit code is not that of guards: %+v", res.Holds)
	}
	a.checkIdle()
}

// TestContractMaskKeyHolds: a table whose mask has another key stays as it is with what waits
// for it, and those without the mask go on. An acceptance is for one apply.
func TestContractMaskKeyHolds(t *testing.T) {
	a := newBed(t, keyed("k1"))
	a.held(a.run(dumpOf(1, full("e", mails(1, 2)), full("f", mails(1, 1)), full("g", someKeys(1, 1)))))
	was := a.hashes("e")
	a.hcl = keyed("k2")
	a.arrive(dumpOf(2, more("e", mails(3, 3)), more("g", someKeys(2, 2)), mapsUsers(1, 1)))
	holds := []string{"e mask.pii this written -accept=mask.pii", "f mask.pii -accept=mask.pii"}
	a.guardedPlan(holds...)
	a.has("1", "2")
	a.want("g", "event_id user_id", "1 9000", "2 9000")
	if now := a.hashes("e"); now != was {
		t.Errorf("the emails are %s, they were %s", now, was)
	}
	a.opts.Accept, a.opts.Targets = []string{"mask.pii"}, []string{"table.e"}
	a.held(a.run())
	a.has("1", "2", "3")
	if now := a.hashes("e"); strings.Contains(now, strings.Split(was, ",")[0]) {
		t.Errorf("the emails are still %s", now)
	}
	a.opts.Accept, a.opts.Targets = nil, nil
	a.guardedPlan(holds[1])
	a.opts.Accept = []string{"mask.pii"}
	a.held(a.run())
	a.opts.Accept = nil
	a.guardedPlan()
	a.hcl = keyed("k1") // an acceptance was of another key
	a.guardedPlan(holds...)
	a.hcl = keyed("k2")
	a.guardedPlan()
}

// TestContractMaskKeyPutBack: with the old key the tables go on as if nothing had been.
func TestContractMaskKeyPutBack(t *testing.T) {
	a := newBed(t, keyed("k1"))
	a.run(dumpOf(1, full("e", mails(1, 2))))
	a.hcl = keyed("k2")
	a.arrive(dumpOf(2, more("e", mails(3, 3))))
	a.guardedPlan("e mask.pii")
	a.hcl = keyed("k1")
	a.guardedPlan()
	a.has("1", "2", "3")
}

// TestContractMaskKeyNewTables: a table, or a column, that comes while the key is another
// one waits with those that show it, and trips nothing where no table does.
func TestContractMaskKeyNewTables(t *testing.T) {
	a := newBed(t, keyed("k1"))
	a.run(dumpOf(1, full("e", mails(1, 2)), full("g", someKeys(1, 1))))
	a.hcl = keyed("k2")
	a.arrive(dumpOf(2, full("h", mails(1, 1)), more("g", mails(7, 7))))
	holds := []string{"e mask.pii this", "g mask.pii table e was", "h mask.pii table e was"}
	a.guardedPlan(holds...)
	a.want("g", "event_id", "1")
	a.opts.Targets, a.opts.Accept = []string{"table.h"}, []string{"mask.pii"}
	a.held(a.run())
	a.want("h", "event_id", "1")
	a.opts.Targets, a.opts.Accept = nil, nil
	a.guardedPlan(holds[0]) // there is a table with the key, so that g can have it
	a.want("g", "event_id", "1", "7")
	b := newBed(t, keyed("k2"))
	b.run(dumpOf(1, full("g", someKeys(1, 1))))
	b.hcl = keyed("k1")
	b.arrive(dumpOf(2, more("g", mails(7, 7))))
	b.guardedPlan()
}

// TestContractMaskKeyOfBlocks: the mask of a column block is judged, too, and by its name.
func TestContractMaskKeyOfBlocks(t *testing.T) {
	hcl := func(mask, key string) string {
		return fmt.Sprintf("mask %q {\n  method = \"hmac-sha256\"\n  key = %q\n}\n", mask, key) +
			strings.Replace(lakeTables, `"*" { sinks = [sink.parquet.lake] }`, "\"*\" {\n  sinks = [sink.parquet.lake]\n  column \"email\" { mask = mask."+mask+" }\n}", 1)
	}
	a := newBed(t, hcl("one", "k1"))
	a.run(dumpOf(1, full("e", mails(1, 2))))
	a.hcl = hcl("two", "k1")
	a.guardedPlan()
	a.hcl = hcl("two", "k2")
	a.guardedPlan("e mask.two -accept=mask.two")
}

// rewriting is lakeTables with a guard that lets few bytes be written again.
func rewriting(limit, by string) string {
	return strings.Replace(guarded(fmt.Sprintf("max_rewritten_bytes = %q", limit)), "guard {", "partition_by = ["+by+"]\n  guard {", 1)
}

// TestContractRewriteHolds: a table of whose files more would be written again than its guard
// allows stays as it is, with what waits for it. An acceptance is for one apply.
func TestContractRewriteHolds(t *testing.T) {
	timed := func(at string, from, to int) *model.File {
		var rows [][]any
		for k := from; k <= to; k++ {
			rows = append(rows, row(k, 1, at))
		}
		return avroPart("event_id user_id time", rows...)
	}
	a := newBed(t, rewriting("100B", "year(time)"))
	a.held(a.run(dumpOf(1, full("e", timed("2024-01-05", 1, 900)), full("f", timed("2024-01-05", 1, 1)))))
	a.hcl = rewriting("100B", "year(time), month(time)")
	a.arrive(dumpOf(2, more("e", timed("2025-01-05", 1000, 1000)), full("users", avroPart("user_id", row(1)))))
	holds := []string{"e max_rewritten_bytes 100 -accept=e@rewrite", "f -accept=f@rewrite"}
	a.guardedPlan(holds...)
	a.want("users", "user_id", "1")
	a.opts.Accept = []string{"e@rewrite"}
	a.held(a.run(), holds[1])
	a.opts.Accept = nil
	a.guardedPlan(holds[1])
	a.hcl = rewriting("1GB", "year(time), month(time)")
	a.guardedPlan()
	a.hcl = rewriting("100B", "year(time), month(time)")
	a.arrive(dumpOf(3, full("e", timed("2024-01-05", 1, 10))))
	a.guardedPlan("e -accept=e@rewrite") // a resync replaces all files
}
