package parquet

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"reconcile/sinks"
)

// The text of current.json is that of encoding it as a whole, whatever was written before.
func TestCurrentForm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := sinks.Current{Version: 1, Lineage: "l<", Tables: map[string]sinks.CurrentTable{}}
	var f currentForm
	names := []string{"", "a", "b", "[\n1]]", "é", "\xff", "<&>", "a b", "zz", `"`}
	for step := range 500 {
		for range r.IntN(4) {
			name := names[r.IntN(len(names))]
			e, had := c.Tables[name]
			switch n := r.Int64N(3); r.IntN(8) {
			case 0:
				delete(c.Tables, name)
				continue
			case 1:
				e.Complete = !e.Complete
			case 2:
				e.Mapping = &n
			case 3:
				e.Mapping, e.Resync = nil, &n
			case 4:
				e.Committed = fmt.Sprint(n)
			case 5:
				e.Folder = names[r.IntN(len(names))]
			case 6:
				if had && len(e.Dumps) > 0 {
					e.Dumps[0]++ // in place
				}
			default:
				e.Commit, e.Dumps = uint64(step), append(e.Dumps, n)
			}
			c.Tables[name] = e
		}
		c.State = []string{"", "s3://b/x"}[r.IntN(2)]
		c.Writes = uint64(step)
		got, err := f.text(c)
		if want := wholeText(t, c); err != nil || string(got) != want {
			t.Fatalf("step %d: %v\n%s\nwant\n%s", step, err, got, want)
		}
	}
}

// wholeText encodes a file as a whole.
func wholeText(t *testing.T, c sinks.Current) string {
	tables := map[string]sinks.CurrentTable{}
	for name, e := range c.Tables {
		if e.Dumps == nil {
			e.Dumps = []int64{}
		}
		tables[name] = e
	}
	c.Tables = tables
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(listsInLine(text)) + "\n"
}
