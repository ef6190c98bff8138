package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
)

// goTo applies with until_dump, 0 for none, and checks.
func (a *bed) goTo(id int64, holds ...string) {
	a.t.Helper()
	a.until = &id
	if id == 0 {
		a.until = nil
	}
	res := a.run()
	a.held(res, holds...)
	a.checkGuard(res)
	if len(holds) == 0 {
		a.check()
	}
	a.checkIdle()
}

// refusedLoss applies with until_dump, which must be refused and change nothing, and
// then accepts the loss for a table.
func (a *bed) refusedLoss(id int64, table string, words ...string) {
	a.t.Helper()
	a.until = &id
	before := a.tree()
	_, err := a.apply()
	if !errors.Is(err, plan.ErrRefused) {
		a.t.Fatalf("the apply ended with %v", err)
	}
	for _, w := range append(words, "-accept-loss="+table) {
		if !strings.Contains(err.Error(), w) {
			a.t.Errorf("the refusal lacks %q: %v", w, err)
		}
	}
	if diff := diffLines(before, a.tree()); diff != "" {
		a.t.Fatalf("the refused apply changed something:\n%s", diff)
	}
	a.opts.AcceptLoss = []string{table}
	a.held(a.run())
	a.opts.AcceptLoss = nil
	a.checkIdle()
}

// TestContractUntilDump: with until_dump the lake is what the manifests up to it give:
// rows, columns, mapping, tables. Tables without later dumps are not touched, and when it
// is raised or removed the later dumps are pending, no more.
func TestContractUntilDump(t *testing.T) {
	a := newBed(t, lakeTables)
	old := withColumns(full("e", avroPart("event_id user_id a", row(1, 10, "x"), row(2, 11, "y"))), "event_id user_id a")
	a.run(dumpOf(1, old, full("same", avroPart("event_id user_id", row(1, 77))),
		full("users", avroPart("user_id plan", row(10, "free"))), more(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10)))))
	a.run(dumpOf(2, more("e", avroPart("event_id user_id a", row(3, 11, "z")))))
	a.run(dumpOf(3, withColumns(more("e", avroPart("event_id user_id b", row(1, 10, "new"), row(4, 11, "w"))), "event_id user_id b"),
		full("z", avroPart("event_id user_id", row(1, 10))),
		more("users", avroPart("user_id plan", row(10, "pro"))), more(feed.TableMapping)))
	untouched := func() []string {
		return slices.DeleteFunc(a.tree(), func(line string) bool { return !strings.Contains(line, "/lake/same/") })
	}
	before := untouched()
	today := func() {
		a.t.Helper()
		a.want("e", "event_id user_id a b", "1 10 - new", "2 11 y -", "3 11 z -", "4 11 - w")
		a.want("z", "event_id", "1")
		a.want("users", "user_id plan", "10 pro")
		a.want(feed.TableMapping, "from_user_id")
	}
	today()

	a.until = new(int64)
	*a.until = 2
	a.said(a.notices(), "dumps above until_dump = 2 are left out: 1")
	a.goTo(2)
	a.want("e", "event_id user_id a", "1 10 x", "2 10 y", "3 10 z")
	if c := a.columns("e"); strings.Contains(c, " b") {
		t.Errorf("e still has the columns %s", c)
	}
	a.want("z", "event_id")
	a.want("users", "user_id plan", "10 free")
	a.want(feed.TableMapping, "from_user_id to_user_id", "11 10")
	if diff := diffLines(before, untouched()); len(before) == 0 || diff != "" {
		t.Errorf("a table without later dumps was written:\n%s", diff)
	}
	a.goTo(1)
	a.want("e", "event_id user_id", "1 10", "2 10")
	a.goTo(-5)
	a.want("e", "event_id")
	a.want("same", "event_id")
	a.goTo(2)
	a.goTo(99)
	today()
	a.goTo(1)
	a.goTo(0)
	today()
}

// TestContractUntilDumpFirst: a lake begins with until_dump, and later dumps wait for it
// to go, in whatever order they come.
func TestContractUntilDumpFirst(t *testing.T) {
	a := newBed(t, lakeTables)
	for id := int64(5); id > 0; id-- {
		a.arrive(dumpOf(id, more("e", avroPart("event_id user_id", row(int(id), 10)))))
	}
	a.goTo(3)
	a.want("e", "event_id", "1", "2", "3")
	a.arrive(dumpOf(6, more("e", avroPart("event_id user_id", row(6, 10)))), dumpOf(0, more("e", avroPart("event_id user_id", row(1000, 10)))))
	a.goTo(3)
	a.want("e", "event_id", "1", "1000", "2", "3")
	a.goTo(0)
	a.want("e", "event_id", "1", "1000", "2", "3", "4", "5", "6")
}

// TestContractUntilDumpLoss: what going back would lose for good needs -accept-loss: rows
// of dumps below that are gone from the source, and of those above, which could not come
// back; and mappings.
func TestContractUntilDumpLoss(t *testing.T) {
	five := func(t *testing.T) *bed {
		a := newBed(t, lakeTables)
		a.run(dumpOf(1, more(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10)))))
		for id := range 3 {
			a.run(dumpOf(int64(id)+2, more("e", avroPart("event_id user_id", row(id+2, 11)))))
		}
		a.run(dumpOf(5, more(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 9)))))
		return a
	}
	a := five(t)
	a.forgetDump("2")
	a.refusedLoss(3, "e", "dump 2")
	a.want("e", "event_id", "3")
	a = five(t)
	a.forgetDump("4")
	a.refusedLoss(3, "e", "dump 4")
	a.want("e", "event_id user_id", "2 10", "3 10")
	a.goTo(2)
	a = five(t)
	if err := os.RemoveAll(filepath.Join(a.dir, "dumps", "sync_4")); err != nil {
		t.Fatal(err)
	}
	a.refusedLoss(3, "e", "dump 4")
	a = five(t)
	a.forgetDump("1")
	a.refusedLoss(4, feed.TableMapping, "dump 1")
	a.want("e", "event_id user_id", "2 11", "3 11", "4 11")
	a = five(t)
	a.forgetDump("5")
	a.refusedLoss(4, feed.TableMapping, "dump 5")
	a.want("e", "event_id user_id", "2 10", "3 10", "4 10")
}

// TestContractUntilDumpVoid: rows that a taken back resync voided come back, and so do
// the holds of that time; dumps above that it voided are no loss.
func TestContractUntilDumpVoid(t *testing.T) {
	for fault, why := range map[model.Fault]string{model.None: "", model.Missing: "not there", model.Damaged: "sync"} {
		a := newBed(t, lakeTables)
		two, three := avroPart("event_id user_id", row(2, 10)), avroPart("event_id user_id", row(3, 10))
		a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))), dumpOf(2, more("e", two)), dumpOf(3, more("e", three)),
			dumpOf(4, more("e", avroPart("event_id user_id", row(4, 10)))), dumpOf(5, full("e", avroPart("event_id user_id", row(5, 10)))))
		if fault != model.None {
			a.spoilt(three, fault)
		}
		a.held(a.run())
		a.want("e", "event_id", "5")
		if fault == model.None {
			a.goTo(4)
			a.want("e", "event_id", "1", "2", "3", "4")
			a.forgetDump("4")
			a.until = nil
			a.held(a.run())
			a.want("e", "event_id", "5")
			a.goTo(3)
			continue
		}
		a.goTo(4, "e 3 "+three.Key+" "+why)
		a.want("e", "event_id", "1", "2")
		a.goTo(2)
		a.goTo(4, "e 3 "+three.Key)
		a.goTo(0)
		a.want("e", "event_id", "5")
	}
}

// TestContractUntilDumpHolds: manifests above until_dump hold nothing, whatever is wrong
// with them, and one that was corrected meanwhile comes as a new one.
func TestContractUntilDumpHolds(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10)))))
	a.replace(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10)), avroPart("event_id user_id", row(3, 10)))))
	bad := filepath.Join(a.dir, "dumps", "manifests", "sync_7.json")
	if err := os.WriteFile(bad, []byte(`{"dump_id": 7, "tables": [{"files": []}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	a.arrive(dumpOf(3, model.Entry{Table: "e"}))
	a.held(a.run(), "2 -accept-manifest=2", "7", "e 3 incremental")
	a.goTo(1)
	a.want("e", "event_id", "1")
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	a.goTo(2)
	a.want("e", "event_id", "1", "2", "3")
}

// TestContractUntilDumpGuard: a mapping that is taken back trips no guard and none that
// was accepted is judged again, on the way back neither.
func TestContractUntilDumpGuard(t *testing.T) {
	a := guardBed(t)
	a.held(a.run())
	a.held(a.run(dumpOf(2, mapsUsers(1, 10))), "user_migrations 2 -accept=user_migrations@2")
	a.acceptingDump(2)
	a.passed[1], a.passed[2] = true, true
	a.users(merged)
	a.goTo(1)
	a.want(feed.TableMapping, "_dump_id", strings.Fields(strings.Repeat("1 ", 100))...)
	a.goTo(0)
	a.want(feed.TableMapping, "_dump_id", strings.Fields(strings.Repeat("2 ", 10))...)
	a.goTo(-1)
	a.goTo(2)
	a.arrive(dumpOf(3, mapsUsers(500, 600)))
	a.goTo(3)
	a.arrive(dumpOf(4, mapsUsers(1, 0)))
	a.goTo(3)
	a.goTo(0, "user_migrations 4 -accept=user_migrations@4")
	a.goTo(2)
	a.want(feed.TableMapping, "_dump_id", strings.Fields(strings.Repeat("2 ", 10))...)
}

// TestContractUntilDumpKey: what identifies a row is what the manifests up to until_dump
// say.
func TestContractUntilDumpKey(t *testing.T) {
	for _, listed := range []bool{true, false} {
		entry := func(e model.Entry, columns string) model.Entry {
			if listed {
				return withColumns(e, columns)
			}
			return e
		}
		a := newBed(t, lakeTables)
		a.run(dumpOf(1, entry(full("e", avroPart("session_id user_id v", row(5, 10, "s"))), "session_id user_id v")),
			dumpOf(2, entry(full("e", avroPart("event_id session_id user_id", row(1, 5, 10), row(2, 5, 10))), "event_id session_id user_id")))
		a.want("e", "event_id session_id", "1 5", "2 5")
		a.goTo(1)
		a.want("e", "session_id v", "5 s")
	}
}

// TestContractUntilDumpMasks: that a mask meets something is judged by all that was
// delivered, above until_dump too.
func TestContractUntilDumpMasks(t *testing.T) {
	for _, columns := range []string{"event_id user_id email", ""} {
		a := newBed(t, lakeTables)
		late := full("z", avroPart("event_id user_id email", row(1, 10, "x")))
		late.Columns = strings.Fields(columns)
		if columns == "" {
			late.Columns = nil
		}
		a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
		a.arrive(dumpOf(2, late))
		a.hcl = masking(`"email"`)
		a.goTo(1)
		a.want("e", "event_id", "1")
		a.until = nil
		a.run()
		a.want("z", "event_id email", "1 -")
		a.goTo(1)
	}
}

// TestContractUntilDumpOther: other changes of the configuration go with it, a target
// narrows it, and a lake that lost files goes back as well.
func TestContractUntilDumpOther(t *testing.T) {
	a := newBed(t, lakeTables)
	for id := range int64(4) {
		a.run(dumpOf(id+1, more("e", avroPart("event_id user_id time", row(int(id), 10, fmt.Sprintf("2026-01-0%d", id+1)))),
			more("f", avroPart("event_id user_id", row(int(id), 10)))))
	}
	a.opts.Targets = []string{"table.e"}
	a.until = new(int64)
	*a.until = 2
	a.held(a.run())
	a.want("e", "event_id", "0", "1")
	a.want("f", "event_id", "0", "1", "2", "3")
	a.opts.Targets = nil
	a.lose("lake", "f", false)
	a.hcl = strings.Replace(lakeTables, "table \"*\" {", "table \"*\" {\n  partition_by = [date(time)]\n ", 1)
	a.hcl = strings.Replace(a.hcl, "[sink.parquet.lake] }", "[sink.parquet.lake]\n}", 1)
	a.goTo(1)
	a.want("e", "@ event_id", "date=2026-01-01 0")
	a.want("f", "@ event_id", "date=__HIVE_DEFAULT_PARTITION__ 0")
}

// TestContractUntilDumpLate: of a dump that comes late, when a resync above it is taken
// back, the plan says that it counts, and what it is held for.
func TestContractUntilDumpLate(t *testing.T) {
	a := newBed(t, lakeTables)
	three := avroPart("event_id user_id", row(3, 10))
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))), dumpOf(5, full("e", avroPart("event_id user_id", row(5, 10)))))
	a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10)))), dumpOf(3, more("e", three)))
	a.spoilt(three, model.Missing)
	until := int64(4)
	a.until = &until
	p, err := a.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a.held(&Result{Holds: p.Holds}, "e 3 not there")
	if e := p.Tables[0]; len(e.Dumps) != 1 || e.Dumps[0].Dump != 2 || e.Dumps[0].Void {
		t.Errorf("planned are the dumps %+v", e.Dumps)
	}
	a.goTo(4, "e 3 not there")
	a.want("e", "event_id", "1", "2")
}
