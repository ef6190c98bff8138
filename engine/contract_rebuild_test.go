package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/internal/feed"
)

// TestContractAppliedCasts: on_cast_error = "fail" judges what arrives, not what is
// applied and only read again.
func TestContractAppliedCasts(t *testing.T) {
	conf := func(body string) string {
		return "table \"*\" {\n  sinks = [sink.parquet.lake]\n" + body + "\n}\ntable \"users\" {\n  sinks = [sink.parquet.lake]\n" + body + "\n}\n"
	}
	const number, fail = "column \"v\" { type = \"int64\" }\n", "on_cast_error = \"fail\"\n"
	for name, change := range map[string]func(a *bed){
		"drift": func(a *bed) {
			if err := os.RemoveAll(filepath.Join(a.dir, "lake", "e")); err != nil {
				a.t.Fatal(err)
			}
		},
		"another type": func(a *bed) { a.hcl = conf(fail + "column \"v\" { type = \"double\" }") },
		"no type":      func(a *bed) { a.hcl = conf(fail) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, conf(number))
			a.run(dumpOf(1, full("e", avroPart("event_id user_id v:string", row(1, 10, "bad"), row(2, 10, "7"))),
				full("users", avroPart("user_id v:string", row(10, "bad")))))
			a.hcl = conf(number + fail)
			a.held(a.run())
			change(a)
			a.held(a.run(dumpOf(2, full("z", avroPart("event_id user_id", row(1, 10))))))
			v := "-"
			if name == "no type" {
				v = "bad"
			}
			a.want("e", "event_id v", "1 "+v, "2 7")
			a.want("users", "user_id v", "10 "+v)
			a.want("z", "event_id", "1")
			a.checkIdle()
		})
	}
}

// lose removes a data file of a table, or damages it.
func (a *bed) lose(lake, table string, damage bool) {
	a.t.Helper()
	var files []string
	_ = filepath.WalkDir(filepath.Join(a.dir, lake, table), func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".parquet") {
			files = append(files, p)
		}
		return nil
	})
	err := error(nil)
	if damage {
		err = os.WriteFile(files[0], []byte("PAR1 what somebody else wrote"), 0o644)
	} else {
		err = os.Remove(files[0])
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// TestContractDriftFromElsewhere: what a sink lost comes back without the source
// where another sink, or the state, has all of it.
func TestContractDriftFromElsewhere(t *testing.T) {
	const pond = "sink \"parquet\" \"pond\" { path = \"../pond\" }\n"
	conf := func(sinks string) string {
		return pond + "table \"*\" {\n  sinks = [" + sinks + "]\n  partition_by = [date(time)]\n}\n" +
			"table \"users\" { sinks = [sink.parquet.lake] }\ntable \"user_migrations\" { sinks = [sink.parquet.lake] }\n"
	}
	for _, damage := range []bool{false, true} {
		for _, lake := range []string{"lake", "pond"} {
			a := newBed(t, conf("sink.parquet.lake, sink.parquet.pond"))
			a.run(dumpOf(1, full("e", avroPart("event_id user_id time", row(1, 10, "2026-01-05"), row(1, 11, "2026-01-05"), row(2, 10, "2026-01-06"))),
				full("users", avroPart("user_id v:string", row(10, "a"), row(11, "b"))),
				full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10)))))
			if err := os.RemoveAll(filepath.Join(a.dir, "dumps", "sync_1")); err != nil {
				t.Fatal(err)
			}
			a.lose(lake, "e", damage)
			a.lose("lake", "users", damage)
			a.lose("lake", feed.TableMapping, damage)
			a.held(a.run())
			a.check()
			a.checkIdle()

			a.lose(lake, "e", damage)
			a.hcl = conf(map[string]string{"lake": "sink.parquet.lake", "pond": "sink.parquet.pond"}[lake])
			a.held(a.run(dumpOf(2, full(feed.TableMapping), more("e", avroPart("event_id user_id time", row(3, 10, "2026-01-06"))))))
			a.check()
			a.checkIdle()
		}
	}
}

// spoilt rewrites a part file of an arrived dump as if it had a fault.
func (a *bed) spoilt(f *model.File, fault model.Fault) {
	a.t.Helper()
	f.Fault = fault
	if fault == model.Missing {
		if err := os.Remove(filepath.Join(a.dir, "dumps", f.Key)); err != nil {
			a.t.Fatal(err)
		}
	}
	for _, d := range a.arrived {
		if err := d.WriteFiles(filepath.Join(a.dir, "dumps")); err != nil {
			a.t.Fatal(err)
		}
	}
}

// TestContractRebuildWaits: a rebuild that cannot read a part file any more leaves
// its table as it is and stops nothing else. It goes on when the file is back, or
// without the rows of its dump when their loss is accepted.
func TestContractRebuildWaits(t *testing.T) {
	conf := func(typ string) string {
		return "table \"*\" {\n  sinks = [sink.parquet.lake]\n  column \"v\" { type = \"" + typ + "\" }\n}\n"
	}
	for fault, why := range map[model.Fault]string{model.Missing: "not there", model.Damaged: "sync", model.Truncated: ""} {
		for _, columns := range []string{"event_id user_id v", ""} {
			for _, accept := range []bool{false, true} {
				a := newBed(t, conf("int64"))
				e := func(typ string, rows ...[]any) *model.File { return avroPart("event_id user_id v:string", rows...) }
				entry := func(x model.Entry) model.Entry {
					if columns != "" {
						x = withColumns(x, columns)
					}
					return x
				}
				two := e("", row(2, 10, "2"), row(3, 10, "3"))
				a.run(dumpOf(1, entry(full("e", e("", row(1, 10, "1"))))), dumpOf(2, entry(more("e", two))),
					dumpOf(3, entry(more("e", e("", row(3, 10, "4"))))))
				a.spoilt(two, fault)
				a.hcl = conf("double")
				words := "e 2 " + two.Key + " " + why + " -accept-loss=e"
				a.held(a.run(dumpOf(4, entry(more("e", e("", row(4, 10, "4")))), full("z", avroPart("event_id user_id", row(1, 1))))), words)
				a.want("e", "event_id v _dump_id", "1 1 1", "2 2 2", "3 4 3")
				a.want("z", "event_id", "1")
				before := a.tree()
				a.held(a.run(), words)
				if after := a.tree(); !slices.Equal(before, after) {
					t.Fatalf("waiting wrote:\n%q\n%q", before, after)
				}
				if accept {
					a.opts.AcceptLoss = []string{"e"}
					a.held(a.run())
					a.opts.AcceptLoss = nil
					a.want("e", "event_id v _dump_id", "1 1 1", "3 4 3", "4 4 4")
					a.checkIdle()
					a.run(dumpOf(5, entry(more("e", e("", row(5, 10, "5"))))))
					a.want("e", "event_id v _dump_id", "1 1 1", "3 4 3", "4 4 4", "5 5 5")
					shown, err := a.engine().Inspect().Show(t.Context())
					if err != nil || !slices.Equal(shown.Tables[0].Lost, []int64{2}) || len(shown.Holds) > 0 {
						t.Errorf("%+v, %v", shown, err)
					}
					a.hcl = conf("string") // once more, and nothing more is lost
					a.held(a.run())
					a.want("e", "event_id v _dump_id", "1 1 1", "3 4 3", "4 4 4", "5 5 5")
				}
				a.spoilt(two, model.None)
				a.must()
			}
		}
	}
}

// TestContractLostResync: what a lost resync voided does not come back.
func TestContractLostResync(t *testing.T) {
	a := newBed(t, lakeTables)
	two := avroPart("event_id user_id", row(2, 10))
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))), dumpOf(2, full("e", two)),
		dumpOf(3, more("e", avroPart("event_id user_id", row(3, 10)))))
	manifest := filepath.Join(a.dir, "dumps", "manifests", "sync_2.json")
	if err := os.Remove(manifest); err != nil {
		t.Fatal(err)
	}
	a.lose("lake", "e", false)
	a.held(a.run(), "e no longer holds dump 2 -accept-loss=e")
	a.opts.AcceptLoss = []string{"e"}
	a.held(a.run())
	a.opts.AcceptLoss = nil
	a.want("e", "event_id", "3")
	a.checkIdle()
	if err := a.arrived[1].WriteManifest(filepath.Join(a.dir, "dumps")); err != nil {
		t.Fatal(err)
	}
	a.must()
}

// TestContractRebuildHeldDump: a rebuild that needs a dump that is held waits for it.
func TestContractRebuildHeldDump(t *testing.T) {
	a := newBed(t, lakeTables)
	part := avroPart("event_id user_id", row(1, 10))
	a.run(dumpOf(1, full("e", part)))
	a.replace(dumpOf(1, full("e", part), full("other")))
	a.lose("lake", "e", false)
	a.held(a.run(dumpOf(2, full("z", avroPart("event_id user_id", row(1, 1))))), "manifests/sync_1.json -accept-manifest=1", "e 1 held -accept-loss=e")
	a.want("z", "event_id", "1")
	a.accepting(1)
	a.want("e", "event_id", "1")
}
