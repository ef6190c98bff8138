package engine

import (
	"os"
	"path/filepath"
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
