package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/plan"
	"reconcile/internal/feed"
)

// backup copies the state aside; what it returns puts it back.
func (a *bed) backup() (restore func()) {
	a.t.Helper()
	at, aside := filepath.Join(a.dir, "state"), a.t.TempDir()
	copyTree(a.t, at, aside)
	return func() {
		a.t.Helper()
		if err := os.RemoveAll(at); err != nil {
			a.t.Fatal(err)
		}
		copyTree(a.t, aside, at)
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, p)
		dst := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(dst, 0o755)
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(dst, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// forgetDump removes a dump from the source, manifest and files.
func (a *bed) forgetDump(id string) {
	a.t.Helper()
	for _, p := range []string{"manifests/sync_" + id + ".json", "sync_" + id} {
		if err := os.RemoveAll(filepath.Join(a.dir, "dumps", filepath.FromSlash(p))); err != nil {
			a.t.Fatal(err)
		}
	}
}

// commits returns the commit of each table as the lake says it.
func (a *bed) commits() map[string]uint64 {
	a.t.Helper()
	cur, _, err := a.engine().lake.Sink(filepath.Join(a.dir, "lake")).Current(a.t.Context())
	if err != nil || cur == nil {
		a.t.Fatal(cur, err)
	}
	out := map[string]uint64{}
	for name, t := range cur.Tables {
		out[name] = t.Commit
	}
	return out
}

// TestContractOlderState: a state from a backup beside the lake of a newer one loses no
// row without a flag, whatever the source still has.
func TestContractOlderState(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10))), full("users", avroPart("user_id v:string", row(10, "a")))))
	restore := a.backup()
	a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 11))), more("users", avroPart("user_id v:string", row(11, "b")))))
	top := a.commits()
	restore()
	a.forgetDump("2")
	a.held(a.run(dumpOf(3, full("z", avroPart("event_id user_id", row(9, 9))))),
		"e older commit -repair -target=table.e", "users older commit -repair -target=table.users")
	a.want("e", "event_id", "1", "2")
	a.want("users", "user_id v", "10 a", "11 b")
	a.want("z", "event_id", "9")
	if z := a.commits()["z"]; z <= max(top["e"], top["users"]) {
		t.Errorf("commit %d was used before: the sink is at %v", z, top)
	}

	a.opts.Repair, a.opts.Targets = true, []string{"table.e"}
	a.held(a.run(), "e dump 2 -accept-loss=e", "users older")
	a.want("e", "event_id", "1", "2")
	a.opts.AcceptLoss = []string{"e"}
	a.held(a.run(), "users older")
	a.want("e", "event_id", "1")
	a.want("users", "user_id v", "10 a", "11 b")
	a.opts.Targets, a.opts.AcceptLoss = nil, []string{"users"}
	a.held(a.run())
	a.want("users", "user_id v", "10 a")
	a.opts.Repair, a.opts.AcceptLoss = false, nil
	a.checkIdle()
}

// TestContractRepairWaitsForSinks: a repair changes no sink of a table while it cannot
// change all of them.
func TestContractRepairWaitsForSinks(t *testing.T) {
	a := newBed(t, "sink \"parquet\" \"pond\" { path = \"../pond\" }\ntable \"*\" { sinks = [sink.parquet.lake, sink.parquet.pond] }\n")
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	restore := a.backup()
	a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 11)))))
	restore()
	pond, aside := filepath.Join(a.dir, "pond"), filepath.Join(a.dir, "aside")
	if err := errors.Join(os.Rename(pond, aside), os.WriteFile(pond, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	before := a.tree()
	a.opts.Repair = true
	a.held(a.run(), "e "+pond)
	if after := a.tree(); !slices.Equal(before, after) {
		t.Errorf("before %q\nafter  %q", before, after)
	}
	if err := errors.Join(os.Remove(pond), os.Rename(aside, pond)); err != nil {
		t.Fatal(err)
	}
	a.held(a.run())
	a.opts.Repair = false
	a.check()
	a.checkIdle()
}

// TestContractOlderStateRepaired: where the source has all dumps, -repair brings back
// exactly what the newer state had, and removes what only that knew.
func TestContractOlderStateRepaired(t *testing.T) {
	a := newBed(t, "table \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = [date(time)]\n}\ntable \"users\" { sinks = [sink.parquet.lake] }\ntable \"user_migrations\" { sinks = [sink.parquet.lake] }\n")
	a.run(dumpOf(1, full("e", avroPart("event_id user_id time", row(1, 10, "2026-01-05"))), full(feed.TableMapping)))
	restore := a.backup()
	a.run(dumpOf(2, more("e", avroPart("event_id user_id time", row(2, 11, "2026-01-06"))), full("new", avroPart("event_id user_id", row(5, 11))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10)))))
	restore()
	a.arrive(dumpOf(3, more("e", avroPart("event_id user_id time", row(3, 11, "2026-01-07")))))
	p, err := a.engine().Plan(t.Context())
	if err != nil || len(p.Holds) != 3 || p.Changes() && p.NewMapping == nil {
		t.Fatal(p, err)
	}
	_ = p.Close()
	a.opts.Repair = true
	if p, err = a.engine().Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	removes := map[string]string{}
	for _, tp := range p.Tables {
		removes[tp.Name] = strings.Join(tp.Removes, " ")
	}
	_ = p.Close()
	if !strings.Contains(removes["e"], "lake/e/date=2026-01-06") || strings.Contains(removes["e"], "2026-01-05") || !strings.Contains(removes["new"], "lake/new/") {
		t.Errorf("the plan removes %v", removes)
	}
	a.held(a.run())
	a.opts.Repair = false
	a.check()
	a.checkIdle()
}

// TestContractOlderStateAccepted: what the sinks name as applied was accepted, though a
// state from before does not know it; a table without the newer mapping follows.
func TestContractOlderStateAccepted(t *testing.T) {
	for _, target := range [][]string{nil, {"table.e"}} {
		a := guardBed(t)
		a.held(a.run())
		restore := a.backup()
		a.arrive(dumpOf(2, mapsUsers(1, 1)))
		a.acceptingDump(2)
		restore()
		res := a.run()
		if plan.HeldByGuard(res.Holds) {
			t.Errorf("the guard holds what was accepted: %+v", res.Holds)
		}
		a.opts.Repair, a.opts.Targets = true, target
		res = a.run()
		if target == nil {
			a.held(res)
		}
		a.users("5 9000,6 2")
		a.opts.Repair, a.opts.Targets = false, nil
		a.arrive(dumpOf(3, mapsUsers(2, 2)))
		a.run()
		a.users("5 1,6 9000")
	}
}

// TestContractOlderStateJudges: what no sink names is judged as usual.
func TestContractOlderStateJudges(t *testing.T) {
	a := guardBed(t)
	a.held(a.run())
	restore := a.backup()
	a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(7, 3)))))
	restore()
	a.arrive(dumpOf(3, mapsUsers(1, 1)))
	a.opts.Repair = true
	a.held(a.run(), "user_migrations 3 -accept=user_migrations@3")
	a.users(merged + ",7 9000")
}

// TestContractOlderStateSkips: a mapping that the configuration skips is not lost by a
// repair, though a newer state had applied it.
func TestContractOlderStateSkips(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(5, 1), row(6, 2))), mapsUsers(1, 1)))
	restore := a.backup()
	a.run(dumpOf(2, mapsUsers(1, 2)))
	a.users(merged)
	restore()
	a.prelude = skipping(2)
	a.opts.Repair = true
	a.held(a.run())
	a.users("5 9000,6 2")
}
