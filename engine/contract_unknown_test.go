package engine

import (
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
)

// refined is a configuration whose exact block leaves the sinks to a glob.
const refined = `
table "*" { sinks = [sink.parquet.lake] }
table "e" {
  column "v" { type = "int64" }
}
`

// TestContractUnknownColumns: a table of which nothing is known yet stops nothing,
// though only its columns tell whether the glob with its sinks takes it.
func TestContractUnknownColumns(t *testing.T) {
	other := full("f", avroPart("event_id user_id", row(1, 10)))
	broken := func() *model.File {
		f := avroPart("event_id user_id v:string", row(1, 10, "5"))
		f.Fault = model.Missing
		return f
	}
	skip := strings.Replace(prelude, `{ path = "../dumps" }`, `{
  path = "../dumps"
  skip_dump "1" {
    tables = ["e"]
    reason = "x"
  }
}`, 1)
	for name, c := range map[string]struct {
		prelude string
		e       model.Entry
		held    []string
	}{
		"a file that is not there": {prelude, full("e", broken()), []string{"e 1 part-00001.avro not there"}},
		"no columns, no rows":      {prelude, withColumns(full("e"), ""), nil},
		"nothing listed, no rows":  {prelude, full("e"), nil},
		"skipped":                  {skip, full("e", broken()), nil},
		"other columns":            {prelude, withColumns(full("e"), "user_id v"), []string{"e neither event_id nor session_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, refined)
			a.prelude = c.prelude
			a.held(a.run(dumpOf(1, other, c.e)), c.held...)
			a.want("f", "event_id", "1")
			a.want("e", "event_id")
			a.checkIdle()
			if name == "other columns" {
				return
			}
			a.run(dumpOf(2, full("e", avroPart("event_id user_id v:string", row(2, 10, "6")))))
			a.want("e", "event_id v", "2 6")
		})
	}
}

// TestContractSkippedTable: a table that only skipped dumps list is none.
func TestContractSkippedTable(t *testing.T) {
	a := newBed(t, `table "f" { sinks = [sink.parquet.lake] }`)
	a.prelude = strings.Replace(prelude, `{ path = "../dumps" }`, `{
  path = "../dumps"
  skip_dump "1" {
    tables = ["e"]
    reason = "x"
  }
}`, 1)
	a.arrive(dumpOf(1, full("e"), full("f", avroPart("event_id user_id", row(1, 10)))))
	p, err := a.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if len(p.Unclaimed) > 0 || slices.ContainsFunc(p.Tables, func(x *plan.Table) bool { return x.Name == "e" }) {
		t.Errorf("%+v, unclaimed %v", p.Tables, p.Unclaimed)
	}
}
