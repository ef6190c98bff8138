package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"reconcile/engine/rescued"
	"reconcile/internal/feed"
)

// counted is what Rescued counts, as text by table.
func (h *harness) counted(table string) map[string]rescued.Table {
	h.t.Helper()
	list, err := Rescued(h.engine()).Count(h.t.Context(), table)
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]rescued.Table{}
	for _, t := range list {
		out[t.Name] = t
	}
	return out
}

// checkRescued compares what is counted of each table with the model.
func (h *harness) checkRescued() (values int64) {
	h.t.Helper()
	if h.unchecked {
		return 0
	}
	c := h.comparison(h.config())
	counted := h.counted("")
	for _, name := range c.Tables() {
		def, want, err := c.Want(h.t, name)
		if def == nil || err != nil {
			continue
		}
		rows, by, bad := int64(0), map[string]int64{}, map[string]int64{}
		for _, row := range want.Rows {
			text := row.Values[feed.RescuedData]
			if text == nil {
				continue
			}
			rows++
			var items map[string]string
			if err := json.Unmarshal([]byte(*text), &items); err != nil {
				h.t.Fatal(err)
			}
			for delivered := range items {
				by[delivered]++

				values++
			}
		}
		got := counted[name]
		gotBy := map[string]int64{}
		for _, col := range got.Columns {
			if col.Rescued > 0 {
				gotBy[col.Delivered] = col.Rescued
			}
			if col.Quarantined > 0 {
				bad[col.Delivered] = col.Quarantined
			}
		}
		quarantined := int64(0)
		for key, n := range bad {
			if !slices.Contains([]string{feed.UserID, feed.EventID, feed.SessionID, feed.FromUserID, feed.ToUserID}, key) {
				h.t.Fatalf("table %s: no key is %q", name, key)
			}
			quarantined += n
		}
		if got.Rescued != rows || got.Rows != int64(len(want.Rows)) || !maps.Equal(by, gotBy) || quarantined != int64(len(want.Quarantine)) || got.Quarantined != quarantined {
			h.t.Fatalf("table %s: counted is %+v, the model has %d rows of %d with %v, and %d in the quarantine", name, got, rows, len(want.Rows), by, len(want.Quarantine))
		}
	}
	return values
}

// After every apply of random worlds, with mappings, resyncs, rebuilds and changes of the
// configuration, what is counted by column is what the model says.
func TestRescuedOfWorlds(t *testing.T) {
	var values atomic.Int64
	t.Cleanup(func() {
		if n := values.Load(); n < 50 {
			t.Errorf("only %d values were rescued", n)
		}
	})
	for seed := range int64(6) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, 400+seed, inFolders, func(h *harness, _ *rand.Rand) { values.Add(h.checkRescued()) })
		})
	}
}

// Values are counted under the column that they are of, whatever it is named.
func TestRescuedByColumn(t *testing.T) {
	a := newBed(t, `
sink "parquet" "pond" { path = "../pond" }
table "*" {
  sinks = [sink.parquet.pond, sink.parquet.lake]
  column "v" {
    type = "int64"
    as   = "amount"
  }
  column "W" { type = "date" }
}
`)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id v:string W:string", row(1, 10, "x", "y"), row(2, 10, "7", "y"), row(3, 11, "z", "2026-01-05"), row(nil, 11, "1", "2026-01-05"))),
		full("f", avroPart("event_id user_id", row(1, 10)))),
		dumpOf(2, more("e", avroPart("event_id user_id w:string", row(4, 10, "q"))), full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10), row(nil, 10)))))
	want := map[string]string{
		"e":               "{e 4 4 1 [{W [W] 2 0} {event_id [] 0 1} {v [amount] 2 0} {w [W] 1 0}]}",
		"f":               "{f 1 0 0 []}",
		feed.TableMapping: "{user_migrations 0 0 1 [{from_user_id [] 0 1}]}",
	}
	check := func(table string, want map[string]string) {
		t.Helper()
		got := map[string]string{}
		for name, c := range a.counted(table) {
			got[name] = fmt.Sprint(c)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	check("", want)
	check("e", map[string]string{"e": want["e"]})

	// One sink is enough, and none is an error that says what is missing.
	if err := os.RemoveAll(filepath.Join(a.dir, "pond", "e")); err != nil {
		t.Fatal(err)
	}
	check("e", map[string]string{"e": want["e"]})
	a.lose("lake", "e", true)
	if _, err := Rescued(a.engine()).Count(t.Context(), "e"); err == nil || !strings.Contains(err.Error(), "table e: ") {
		t.Errorf("%v", err)
	}
	if _, err := Rescued(a.engine()).Count(t.Context(), "none"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
}
