package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

func (a *bed) currentFile() string {
	return filepath.Join(a.dir, "lake", "_reconcile", "current.json")
}

// unnumbered is what current.json says without the number of the write.
func unnumbered(data []byte) []byte {
	return regexp.MustCompile(`"writes": \d+,`).ReplaceAll(data, nil)
}

// editCurrent changes what current.json says.
func (a *bed) editCurrent(edit func(c *sinks.Current)) {
	a.t.Helper()
	data, err := os.ReadFile(a.currentFile())
	c := &sinks.Current{}
	if err = errors.Join(err, json.Unmarshal(data, c)); err == nil {
		edit(c)
		data, err = json.Marshal(c)
	}
	if err = errors.Join(err, os.WriteFile(a.currentFile(), data, 0o644)); err != nil {
		a.t.Fatal(err)
	}
}

// twoTables has two tables and a mapping, applied.
func twoTables(t *testing.T) *bed {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10), row(2, 11))), full("f", avroPart("event_id user_id", row(7, 10))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10)))))
	return a
}

// TestContractCurrentLost: a current.json that is missing or cannot be read is written
// again if the files are those that the state knows. Else their tables are held.
func TestContractCurrentLost(t *testing.T) {
	for name, spoil := range map[string]func(a *bed) error{
		"missing":      func(a *bed) error { return os.Remove(a.currentFile()) },
		"empty":        func(a *bed) error { return os.WriteFile(a.currentFile(), nil, 0o644) },
		"no JSON":      func(a *bed) error { return os.WriteFile(a.currentFile(), []byte("gone"), 0o644) },
		"no lineage":   func(a *bed) error { return os.WriteFile(a.currentFile(), []byte(`{"version":1}`), 0o644) },
		"truncated":    func(a *bed) error { return os.Truncate(a.currentFile(), 50) },
		"not its form": func(a *bed) error { return os.WriteFile(a.currentFile(), []byte(`{"version":1,"lineage":7}`), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			a := twoTables(t)
			said, err := os.ReadFile(a.currentFile())
			if err = errors.Join(err, spoil(a)); err != nil {
				t.Fatal(err)
			}
			p, err := a.engine().Plan(t.Context())
			if err != nil || !slices.Equal(p.Restated, []string{filepath.Join(a.dir, "lake")}) || !p.Changes() || len(p.Holds) > 0 {
				t.Fatalf("%+v %v", p, err)
			}
			_ = p.Close()
			a.opts.NoRefresh = true // an apply judges all the same
			a.held(a.run())
			a.opts.NoRefresh = false
			if now, err := os.ReadFile(a.currentFile()); err != nil || !bytes.Equal(unnumbered(now), unnumbered(said)) {
				t.Fatalf("it says %s, it said %s: %v", now, said, err)
			}
			a.checkIdle()

			// A file is another one: its table waits for -repair, the others go on.
			if err := spoil(a); err != nil {
				t.Fatal(err)
			}
			a.lose("lake", "e", true)
			a.held(a.run(dumpOf(2, more("f", avroPart("event_id user_id", row(8, 10))))), "e current.json not those that the state knows -repair -target=table.e")
			a.want("f", "event_id", "7", "8")
			a.held(a.run(), "e current.json")
			if c := a.commits(); c["e"] != 0 || c["f"] == 0 || c[feed.TableMapping] == 0 {
				t.Errorf("the sink says %v", c)
			}
			a.opts.Repair, a.opts.Targets = true, []string{"table.e"}
			a.held(a.run())
			a.opts.Repair, a.opts.Targets = false, nil
			a.check()
			a.checkIdle()
		})
	}
}

// TestContractCurrentLostInBoth: while one sink of a table holds it, nothing is written
// again in another, where nothing else would be said.
func TestContractCurrentLostInBoth(t *testing.T) {
	a := newBed(t, "sink \"parquet\" \"pond\" { path = \"../pond\" }\ntable \"*\" { sinks = [sink.parquet.lake, sink.parquet.pond] }\n")
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	for _, sink := range []string{"lake", "pond"} {
		if err := os.Remove(filepath.Join(a.dir, sink, "_reconcile", "current.json")); err != nil {
			t.Fatal(err)
		}
	}
	a.lose("pond", "e", true)
	a.held(a.run(), "e pond -repair")
	before := a.tree()
	a.held(a.run(), "e pond -repair")
	if after := a.tree(); !slices.Equal(before, after) {
		t.Errorf("before %q\nafter  %q", before, after)
	}
	p, err := a.engine().Plan(t.Context())
	if err != nil || p.Changes() {
		t.Fatalf("%+v %v", p, err)
	}
	_ = p.Close()
}

// TestContractCurrentForeignFile: without a current.json a file too many holds the
// table, too; -repair names and removes it.
func TestContractCurrentForeignFile(t *testing.T) {
	a := twoTables(t)
	foreign := filepath.Join(a.dir, "lake", "e", "other.parquet")
	if err := errors.Join(os.Remove(a.currentFile()), os.WriteFile(foreign, []byte("PAR1"), 0o644)); err != nil {
		t.Fatal(err)
	}
	a.held(a.run(), "e current.json -repair")
	a.opts.Repair = true
	p, err := a.engine().Plan(t.Context())
	if err != nil || !slices.Equal(p.Tables[0].Removes, []string{foreign}) {
		t.Fatal(p, err)
	}
	_ = p.Close()
	a.held(a.run())
	if _, err := os.Stat(foreign); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	a.opts.Repair = false
	a.check()
	a.checkIdle()
}

// TestContractCurrentDiffers: what a current.json that can be read says of a table
// decides which of the two is newer.
func TestContractCurrentDiffers(t *testing.T) {
	entry := func(edit func(e *sinks.CurrentTable)) func(c *sinks.Current) {
		return func(c *sinks.Current) {
			e := c.Tables["e"]
			edit(&e)
			c.Tables["e"] = e
		}
	}
	five := int64(5)
	for name, c := range map[string]struct {
		edit func(c *sinks.Current)
		held string // "" if it is written again
	}{
		"a greater commit": {entry(func(e *sinks.CurrentTable) { e.Commit += 100 }), "e older -repair -target=table.e"},
		"other dumps":      {entry(func(e *sinks.CurrentTable) { e.Dumps = []int64{1, 3} }), "e other dumps -repair -target=table.e"},
		"other mapping":    {entry(func(e *sinks.CurrentTable) { e.Mapping = &five }), "e another user mapping -repair -target=table.e"},
		"a smaller commit": {entry(func(e *sinks.CurrentTable) { e.Commit-- }), ""},
		"not complete":     {entry(func(e *sinks.CurrentTable) { e.Complete = false }), ""},
		"another folder":   {entry(func(e *sinks.CurrentTable) { e.Folder = "g" }), ""},
		"no entry":         {func(c *sinks.Current) { delete(c.Tables, "e") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := twoTables(t)
			said, _ := os.ReadFile(a.currentFile())
			a.editCurrent(c.edit)
			if c.held != "" {
				before := a.tree()
				a.held(a.run(), c.held)
				if after := a.tree(); !slices.Equal(before, after) {
					t.Errorf("before %q\nafter  %q", before, after)
				}
				return
			}
			a.held(a.run())
			if now, err := os.ReadFile(a.currentFile()); err != nil || !bytes.Equal(unnumbered(now), unnumbered(said)) {
				t.Fatalf("it says %s, it said %s: %v", now, said, err)
			}
			a.checkIdle()
			a.editCurrent(c.edit)
			a.lose("lake", "e", true)
			if name == "no entry" {
				a.held(a.run(), "e does not name -repair -target=table.e")
				return
			}
			a.held(a.run()) // drift
			a.check()
			a.checkIdle()
		})
	}
}

// TestContractOlderStateInMidCommit: a state from a backup that was made while a commit
// was being made visible does not finish that commit over a newer one.
func TestContractOlderStateInMidCommit(t *testing.T) {
	a := twoTables(t)
	a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))))
	a.interruptAt("publish.move.before=error")
	restore := a.backup()
	a.held(a.run(dumpOf(3, more("e", avroPart("event_id user_id", row(4, 10))))))
	top := a.commits()["e"]
	restore()
	a.forgetDump("3")
	before := a.tree()
	a.held(a.run(), "e older -repair -target=table.e")
	a.want("e", "event_id", "1", "2", "3", "4")
	if after := a.tree(); !slices.Equal(before, after) {
		t.Errorf("before %q\nafter  %q", before, after)
	}
	a.opts.Repair = true
	a.held(a.run(), "e dump 3 -accept-loss=e")
	a.opts.AcceptLoss = []string{"e"}
	a.held(a.run())
	a.want("e", "event_id", "1", "2", "3")
	if now := a.commits()["e"]; now <= top {
		t.Errorf("commit %d after %d", now, top)
	}
	a.opts.Repair, a.opts.AcceptLoss = false, nil
	a.checkIdle()
}

// TestContractLostMapping: a repair does not go back to an older mapping unasked.
func TestContractLostMapping(t *testing.T) {
	a := twoTables(t)
	restore := a.backup()
	a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 12)))), dumpOf(3, full(feed.TableMapping)))
	restore()
	a.forgetDump("3")
	a.opts.Repair = true
	a.held(a.run(), "e mapping of dump 3 -accept-loss=e", "f mapping of dump 3 -accept-loss=f", feed.TableMapping+" mapping of dump 3 -accept-loss="+feed.TableMapping)
	a.want("e", "event_id user_id", "1 10", "2 11", "3 12")
	a.opts.AcceptLoss = []string{"e", "f", feed.TableMapping}
	a.held(a.run())
	a.want("e", "event_id user_id", "1 10", "2 10", "3 12")
	a.opts.Repair, a.opts.AcceptLoss = false, nil
	a.checkIdle()
}

// TestContractTableOfNewerState: a table that only the lake knows, as a newer state made
// it, is named; it is removed by two flags.
func TestContractTableOfNewerState(t *testing.T) {
	a := twoTables(t)
	restore := a.backup()
	a.run(dumpOf(2, full("g", avroPart("event_id user_id", row(3, 12)))))
	restore()
	a.forgetDump("2")
	a.opts.NoRefresh = true // a plan then judges nothing, an apply does
	p, err := a.engine().Plan(t.Context())
	if err != nil || len(p.Holds) > 0 {
		t.Fatal(p, err)
	}
	_ = p.Close()
	a.held(a.run(), "g older -repair -accept-loss=g -target=table.g")
	a.opts.NoRefresh = false
	a.want("g", "event_id", "3")
	a.opts.Repair, a.opts.Targets = true, []string{"table.g"}
	a.held(a.run(), "g -accept-loss=g")
	a.opts.AcceptLoss = []string{"g"}
	a.held(a.run())
	a.want("g", "event_id")
	a.opts.Repair, a.opts.AcceptLoss, a.opts.Targets = false, nil, nil
	if c := a.commits(); len(c) != 3 {
		t.Errorf("the sink says %v", c)
	}
	a.checkIdle()
}

// TestContractOlderStateLeaving: a table whose block is gone is not destroyed by a state
// that is older than its files.
func TestContractOlderStateLeaving(t *testing.T) {
	a := twoTables(t)
	restore := a.backup()
	a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))))
	restore()
	a.hcl = "table \"f\" { sinks = [sink.parquet.lake] }\nignore \"e\" {}\nignore \"user_migrations\" {}\n"
	a.held(a.run(), "e older -repair -target=table.e")
	a.want("e", "event_id", "1", "2", "3")
	a.opts.Repair = true
	a.held(a.run())
	a.want("e", "event_id")
	a.opts.Repair = false
	a.checkIdle()
}

// TestContractRecordedLink: a sink that an earlier version recorded under a path with a
// symbolic link is the sink of that folder.
func TestContractRecordedLink(t *testing.T) {
	a := twoTables(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(a.dir, link); err != nil {
		t.Fatal(err)
	}
	a.editState(func(tx *state.Tx, snap *state.Snapshot) error {
		var errs []error
		for _, tb := range snap.Tables {
			tb.Sinks[0].Root = filepath.Join(link, "lake")
			errs = append(errs, tx.PutTable(tb))
		}
		return errors.Join(errs...)
	})
	a.checkIdle()
	a.held(a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10))))))
	a.check()
	a.checkIdle()
	if now := a.rootsOfE(); len(now) != 1 || strings.Contains(now[0], "link") {
		t.Errorf("the state has the table at %v", now)
	}
}

// rootsOfE returns the sinks of table e as the state has them.
func (a *bed) rootsOfE() []string {
	a.t.Helper()
	snap, err := a.engine().store.Load(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	defer snap.Close()
	var out []string
	for _, s := range snap.Tables["e"].Sinks {
		out = append(out, s.Root)
	}
	return out
}
