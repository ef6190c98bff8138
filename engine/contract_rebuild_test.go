package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
				full(tableMapping, avroPart("from_user_id to_user_id", row(11, 10)))))
			if err := os.RemoveAll(filepath.Join(a.dir, "dumps", "sync_1")); err != nil {
				t.Fatal(err)
			}
			a.lose(lake, "e", damage)
			a.lose("lake", "users", damage)
			a.lose("lake", tableMapping, damage)
			a.held(a.run())
			a.check()
			a.checkIdle()

			a.lose(lake, "e", damage)
			a.hcl = conf(map[string]string{"lake": "sink.parquet.lake", "pond": "sink.parquet.pond"}[lake])
			a.held(a.run(dumpOf(2, full(tableMapping), more("e", avroPart("event_id user_id time", row(3, 10, "2026-01-06"))))))
			a.check()
			a.checkIdle()
		}
	}
}
