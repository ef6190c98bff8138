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
	"reconcile/state"
)

// mapsUsers delivers a mapping of users from..to, each to 9000.
func mapsUsers(from, to int) model.Entry {
	var rows [][]any
	for u := from; u <= to; u++ {
		rows = append(rows, row(u, 9000))
	}
	if rows == nil {
		return more(feed.TableMapping)
	}
	return more(feed.TableMapping, avroPart("from_user_id to_user_id", rows...))
}

// guardBed has an event of the users 1 and 2, whom every full mapping makes one.
func guardBed(t *testing.T) *bed {
	a := newBed(t, lakeTables)
	a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(5, 1), row(6, 2))), mapsUsers(1, 100)))
	return a
}

// fileAs names the file of an entry.
func fileAs(name string, e model.Entry) model.Entry {
	e.Files[0].Key = "sync_0/" + name + ".avro"
	return e
}

const (
	merged = "5 9000,6 9000"
	parted = "5 1,6 2"
)

func (a *bed) users(want string) {
	a.t.Helper()
	a.want("e", "event_id user_id", strings.Split(want, ",")...)
}

// accepting applies with -accept, and then without.
func (a *bed) acceptingDump(dump int64) {
	a.t.Helper()
	a.opts.Accept = []string{fmt.Sprintf("user_migrations@%d", dump)}
	res := a.run()
	a.opts.Accept = nil
	a.held(res)
	a.held(a.run())
	a.checkIdle()
}

// TestContractGuardHolds: an empty mapping after one of 100 users is held, the rest
// goes on, and an acceptance is for good.
func TestContractGuardHolds(t *testing.T) {
	a := guardBed(t)
	a.held(a.run())
	a.users(merged)
	res := a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(7, 3))), mapsUsers(1, 0)))
	a.held(res, "user_migrations 2 -accept=user_migrations@2 skip_dump")
	if !plan.HeldByGuard(res.Holds) || res.Holds[0].Accept != "user_migrations@2" {
		t.Errorf("the hold does not say that a guard tripped: %+v", res.Holds)
	}
	a.users(merged + ",7 9000")
	a.want("user_migrations", "_dump_id", slices.Repeat([]string{"1"}, 100)...)
	a.checkIdle()
	a.acceptingDump(2)
	a.users(parted + ",7 3")
	a.want("user_migrations", "_dump_id")
	a.arrive(dumpOf(3, mapsUsers(1, 1)), dumpOf(4, mapsUsers(0, -1)))
	a.held(a.run())
}

// TestContractGuardGroups: however dumps come together, and in whatever order,
// 100 users, none, and 60 of them give the 60.
func TestContractGuardGroups(t *testing.T) {
	dumps := []*model.Dump{dumpOf(2, mapsUsers(1, 100)), dumpOf(3, mapsUsers(1, 0)), dumpOf(4, mapsUsers(1, 60)), dumpOf(6, mapsUsers(200, 240)), dumpOf(7, mapsUsers(31, 90))}
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {2, 1, 0, 3, 4}, {0, 4, 3, 2, 1}, {0, 3, 1, 4, 2}} {
		for _, cut := range []int{0, 5, 10, 15} {
			a := newBed(t, lakeTables)
			a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(5, 1), row(6, 50)))))
			var group []*model.Dump
			for i, d := range order {
				group = append(group, dumps[d])
				if i == 4 || cut>>i&1 == 1 {
					a.arrive(group...)
					group = nil
					res := a.run()
					a.checkGuard(res)
					a.check()
				}
			}
			a.held(a.run())
			a.users("5 1,6 9000")
		}
	}
}

// TestContractGuardThreshold: fewer than half, of 100 distinct ids or more.
func TestContractGuardThreshold(t *testing.T) {
	twice := mapsUsers(1, 99)
	twice.Files = append(twice.Files, avroPart("from_user_id to_user_id", row(1, 9000), row(2, 7), row(nil, 5)))
	split := mapsUsers(1, 60)
	split.Files = append(split.Files, mapsUsers(50, 100).Files...)
	strangers := mapsUsers(1, 49)
	strangers.Files = append(strangers.Files, mapsUsers(1000, 1400).Files...)
	moved := mapsUsers(1, 100)
	moved.Files = []*model.File{avroPart("from_user_id to_user_id")}
	for u := 1; u <= 50; u++ {
		moved.Files[0].Rows = append(moved.Files[0].Rows, row(int64(u), int64(8000)))
	}
	for name, c := range map[string]struct {
		first, second model.Entry
		trips         bool
	}{
		"99 users":                 {mapsUsers(1, 99), mapsUsers(1, 0), false},
		"99 users, some twice":     {twice, mapsUsers(1, 0), false},
		"half of them":             {mapsUsers(1, 100), mapsUsers(51, 100), false},
		"half, with other targets": {mapsUsers(1, 100), moved, false},
		"less than half":           {mapsUsers(1, 100), mapsUsers(1, 49), true},
		"less than half of 101":    {mapsUsers(1, 101), mapsUsers(1, 50), true},
		"less than half, and more": {mapsUsers(1, 100), strangers, true},
		"of two files":             {split, mapsUsers(1, 49), true},
		"nothing, in a file":       {mapsUsers(1, 100), more(feed.TableMapping, avroPart("from_user_id to_user_id")), true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, together := range []bool{true, false} {
				a := newBed(t, lakeTables)
				a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(5, 1))), c.first))
				if !together {
					a.held(a.run())
				}
				a.arrive(dumpOf(2, c.second))
				if res := a.run(); plan.HeldByGuard(res.Holds) != c.trips {
					t.Errorf("together %v: %+v", together, res.Holds)
				}
				a.check()
			}
		})
	}
}

// TestContractGuardSeveral: of several that trip the newest is named, any can be
// accepted, and those above it are then judged by it.
func TestContractGuardSeveral(t *testing.T) {
	world := func(t *testing.T) *bed {
		a := guardBed(t)
		a.run()
		a.held(a.run(dumpOf(2, mapsUsers(1, 1)), dumpOf(3, mapsUsers(200, 350)), dumpOf(4, mapsUsers(210, 220))), "user_migrations 4 @4")
		return a
	}
	t.Run("the newest", func(t *testing.T) {
		a := world(t)
		a.acceptingDump(4)
		a.users(parted)
	})
	t.Run("one that another is judged by", func(t *testing.T) {
		a := world(t)
		a.opts.Accept = []string{"user_migrations@3"}
		a.held(a.run(), "user_migrations 4 @4")
		a.users(parted)
		a.opts.Accept = nil
		a.held(a.run(), "user_migrations 4 @4")
		a.want("user_migrations", "_dump_id", slices.Repeat([]string{"3"}, 151)...)
		a.acceptingDump(4)
	})
	t.Run("one of few users, which lets all pass", func(t *testing.T) {
		a := world(t)
		a.opts.Accept = []string{"user_migrations@2"}
		a.held(a.run(), "user_migrations 4 @4") // 3 passes, and has 151
		a.opts.Accept = nil
		a.want("user_migrations", "_dump_id", slices.Repeat([]string{"3"}, 151)...)
	})
	t.Run("what is not held", func(t *testing.T) {
		a := world(t)
		a.arrive(dumpOf(5, mapsUsers(1, 60)))
		a.opts.Accept = []string{"user_migrations@3", "user_migrations@99", "e@1"}
		p, err := a.engine().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for _, name := range a.opts.Accept {
			if !slices.ContainsFunc(p.Notices, func(n string) bool { return strings.Contains(n, "-accept="+name) }) {
				t.Errorf("nothing is said of %s: %q", name, p.Notices)
			}
		}
		a.held(a.run())
		a.want("user_migrations", "_dump_id", slices.Repeat([]string{"5"}, 60)...)
	})
}

// TestContractGuardTables: new and rebuilt tables follow the mapping that counts.
func TestContractGuardTables(t *testing.T) {
	a := guardBed(t)
	a.run()
	a.held(a.run(dumpOf(2, full("f", avroPart("event_id user_id", row(5, 1), row(6, 2))), mapsUsers(1, 0))), "user_migrations")
	a.want("f", "event_id user_id", strings.Split(merged, ",")...)
	a.hcl = "mask \"m\" {\n  columns = [\"x\"]\n  method = \"drop\"\n  optional = true\n}\n" + strings.Replace(lakeTables, `"*" { sinks = [sink.parquet.lake] }`, `"*" {
  on_schema_change = "ignore"
  columns = ["event_id", "user_id", "time"]
  sinks = [sink.parquet.lake]
}`, 1)
	a.held(a.run(), "user_migrations")
	a.users(merged)
	a.acceptingDump(2)
	a.users(parted)
	a.want("f", "event_id user_id", strings.Split(parted, ",")...)
}

// skipping is a prelude with a skip_dump for the mapping of some dumps.
func skipping(dumps ...int) string {
	var b strings.Builder
	for _, d := range dumps {
		fmt.Fprintf(&b, "  skip_dump \"%d\" {\n    tables = [\"user_migrations\"]\n    reason = \"x\"\n  }\n", d)
	}
	return strings.Replace(prelude, `{ path = "../dumps" }`, "{\n  path = \"../dumps\"\n"+b.String()+"}", 1)
}

// TestContractGuardSkip: a skipped mapping neither trips nor judges, and what counts
// when the newest is skipped is what counted before.
func TestContractGuardSkip(t *testing.T) {
	a := guardBed(t)
	a.run()
	a.held(a.run(dumpOf(2, mapsUsers(1, 0))), "user_migrations 2")
	a.prelude = skipping(2)
	a.held(a.run())
	a.prelude = prelude
	a.acceptingDump(2)
	a.held(a.run(dumpOf(3, mapsUsers(1, 100))))
	a.users(merged)
	a.prelude = skipping(3) // what was accepted counts, although there are 100 below it
	a.held(a.run())
	a.users(parted)
	a.prelude = skipping(2, 3)
	a.held(a.run())
	a.users(merged)
	a.prelude = prelude // and so does what was applied
	a.held(a.run())
	a.users(merged)
	a.want("user_migrations", "_dump_id", slices.Repeat([]string{"3"}, 100)...)
}

// TestContractGuardApplied: what was applied does not trip when more arrives below.
func TestContractGuardApplied(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(3, full("e", avroPart("event_id user_id", row(5, 1))), mapsUsers(1, 5)), dumpOf(5, mapsUsers(1, 3)))
	a.held(a.run(dumpOf(4, mapsUsers(1, 100)), dumpOf(1, mapsUsers(1, 150))))
	a.users("5 9000")
	a.prelude = skipping(5)
	a.held(a.run()) // 4 has 100 users, all of which are in 1
	a.prelude = skipping(4, 5)
	a.held(a.run(), "user_migrations 3") // it never counted, as dump 5 came with it
}

// TestContractGuardCorrected: a corrected manifest of the mapping that counts is
// judged by what is below it.
func TestContractGuardCorrected(t *testing.T) {
	accept := func(a *bed, d *model.Dump, holds ...string) {
		t.Helper()
		a.replace(d)
		a.opts.AcceptManifest = []int64{d.ID}
		a.held(a.run(), holds...)
		a.opts.AcceptManifest = nil
		a.held(a.run(), holds...)
		a.checkIdle()
	}
	t.Run("below it", func(t *testing.T) {
		a := guardBed(t)
		a.run(dumpOf(2, mapsUsers(1, 70)))
		accept(a, dumpOf(2, fileAs("b", mapsUsers(1, 10))), "user_migrations 2 @2")
		a.users(merged)
		a.want("user_migrations", "_dump_id", slices.Repeat([]string{"2"}, 70)...)
		a.acceptingDump(2)
		a.want("user_migrations", "_dump_id", slices.Repeat([]string{"2"}, 10)...)
		accept(a, dumpOf(2, fileAs("c", mapsUsers(1, 11))), "user_migrations 2 @2") // what was accepted was another
		accept(a, dumpOf(2, fileAs("d", mapsUsers(1, 80))))
	})
	t.Run("the first", func(t *testing.T) {
		a := guardBed(t)
		a.run()
		accept(a, dumpOf(1, full("e", avroPart("event_id user_id", row(5, 1), row(6, 2))), mapsUsers(1, 0)))
		a.users(parted)
	})
	t.Run("gone below it", func(t *testing.T) {
		a := guardBed(t)
		a.run()
		a.run(dumpOf(2, mapsUsers(1, 100)))
		if err := os.Remove(filepath.Join(a.dir, "dumps", "manifests", "sync_1.json")); err != nil {
			t.Fatal(err)
		}
		accept(a, dumpOf(2, mapsUsers(1, 0)), "user_migrations 2 @2")
		a.acceptingDump(2)
	})
}

// TestContractGuardBad: what cannot be read does not judge, and is held itself as
// long as it is newer than what counts.
func TestContractGuardBad(t *testing.T) {
	a := guardBed(t)
	a.run()
	damaged := mapsUsers(1, 100)
	damaged.Files[0].Fault = model.Damaged
	a.held(a.run(dumpOf(2, mapsUsers(1, 0)), dumpOf(3, damaged)), "user_migrations 2 @2", "user_migrations 3 part-")
	a.held(a.run(dumpOf(4, mapsUsers(1, 0))), "user_migrations 4 @4", "user_migrations 3 part-")
	a.held(a.run(dumpOf(5, mapsUsers(41, 100))))
	a.users(parted)
}

// TestContractGuardOlderState: a state from before there was a guard stands at what
// it stands at.
func TestContractGuardOlderState(t *testing.T) {
	a := guardBed(t)
	a.run()
	a.run(dumpOf(2, mapsUsers(1, 0)))
	a.acceptingDump(2)
	a.editState(func(tx *state.Tx, _ *state.Snapshot) error {
		return errors.Join(tx.DeleteAccepted(state.Delivery{Table: feed.TableMapping, Dump: 1}), tx.DeleteAccepted(state.Delivery{Table: feed.TableMapping, Dump: 2}))
	})
	a.held(a.run())
	a.users(parted)
	a.held(a.run(dumpOf(3, mapsUsers(1, 3))))
	a.prelude = skipping(3)
	a.held(a.run())
	a.want("user_migrations", "_dump_id")
}

// TestContractGuardConflicts: on_conflict = "fail" asks of the mapping that counts.
func TestContractGuardConflicts(t *testing.T) {
	a := guardBed(t)
	a.hcl += "identity { on_conflict = \"fail\" }\n"
	a.run()
	d := dumpOf(2, more(feed.TableMapping, avroPart("from_user_id to_user_id", row(1, 2), row(1, 3))))
	a.held(a.run(d), "user_migrations 2")
	a.opts.Accept = []string{"user_migrations@2"}
	if _, err := a.apply(); err == nil || !strings.Contains(err.Error(), "on_conflict") {
		t.Error(err)
	}
}

// TestContractGuardCrash: wherever an apply with -accept fails, the next one without
// holds the mapping as before or has taken it for good.
func TestContractGuardCrash(t *testing.T) {
	taken := false
	for n := 1; ; n++ {
		a := guardBed(t)
		a.run()
		a.held(a.run(dumpOf(2, mapsUsers(1, 0))), "user_migrations 2")
		a.opts.Accept = []string{"user_migrations@2"}
		_, _, err := a.applyFailing(fmt.Sprintf("state.commit.before=error@%d", n))
		a.opts.Accept = nil
		if res := a.run(); !taken && plan.HeldByGuard(res.Holds) {
			a.users(merged)
		} else {
			a.held(res)
			a.users(parted)
			taken = true
		}
		a.checkIdle()
		if err == nil {
			break
		}
	}
	if !taken {
		t.Error("the mapping was never taken")
	}
}

// TestContractGuardWithoutTable: a mapping that a guard holds stays held when the table
// user_migrations goes, and the next apply has nothing to write.
func TestContractGuardWithoutTable(t *testing.T) {
	a := guardBed(t)
	a.held(a.run())
	const held = "user_migrations 2 -accept=user_migrations@2"
	a.held(a.run(dumpOf(2, mapsUsers(1, 0))), held)
	a.hcl = strings.Replace(lakeTables, `table "user_migrations" { sinks = [sink.parquet.lake] }`, "", 1)
	a.held(a.run(), held)
	a.checkIdle()
}

// TestContractGuardDeclared: a declared guard takes the place of the default one: it judges
// by mappings of any size, and "100%" lets everything pass.
func TestContractGuardDeclared(t *testing.T) {
	for share, c := range map[string]struct {
		first, second model.Entry
		trips         bool
	}{
		"1%":   {mapsUsers(1, 100), mapsUsers(3, 100), true},
		"1.0%": {mapsUsers(1, 100), mapsUsers(2, 100), false},
		"50%":  {mapsUsers(1, 3), mapsUsers(3, 3), true},
		"60%":  {mapsUsers(1, 200), mapsUsers(1, 80), false},
		"0%":   {mapsUsers(1, 0), mapsUsers(1, 1), false},
		"0.0%": {mapsUsers(1, 2), mapsUsers(1, 1), true},
		"100%": {mapsUsers(1, 100), mapsUsers(1, 0), false},
	} {
		for _, together := range []bool{true, false} {
			a := newBed(t, lakeTables+"identity {\n  guard { max_mappings_removed = \""+share+"\" }\n}\n")
			a.arrive(dumpOf(1, c.first))
			if !together {
				a.held(a.run())
			}
			a.arrive(dumpOf(2, c.second))
			if res := a.run(); plan.HeldByGuard(res.Holds) != c.trips {
				t.Errorf("%s, together %v: %+v", share, together, res.Holds)
			} else if c.trips {
				a.held(res, "user_migrations 2 more -accept=user_migrations@2")
				a.acceptingDump(2)
			}
		}
	}
}
