package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"reconcile/engine/inspect"
	"reconcile/internal/feed"
)

// figures are those of each table, as text.
func (a *bed) figures() (*inspect.Figures, map[string]string) {
	a.t.Helper()
	f, err := a.engine().Inspect().Figures(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	out := map[string]string{}
	for _, t := range f.Tables {
		lag := "unknown"
		if t.MappingLag != nil {
			lag = t.MappingLag.String()
		}
		out[t.Name] = fmt.Sprintf("%d rows, %d hidden, %d bad, %d files, dump %d of %s, lag %s, %d waiting", t.Rows, t.Hidden, t.Quarantined, t.Files, t.Dump, t.Arrived.Format("15:04"), lag, t.Waiting)
	}
	return f, out
}

// arrivedAt dates the manifest of a dump.
func (a *bed) arrivedAt(dump int64, hour int) {
	a.t.Helper()
	at := time.Date(2026, 3, 7, hour, 0, 0, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(a.dir, fmt.Sprintf("dumps/manifests/sync_%d.json", dump)), at, at); err != nil {
		a.t.Fatal(err)
	}
}

func TestFigures(t *testing.T) {
	a := newBed(t, lakeTables)
	if f, got := a.figures(); f.Lineage != "" || len(got) > 0 {
		t.Errorf("%+v", f)
	}
	a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10), row(1, 11), row(nil, 11))), full("f", avroPart("event_id user_id", row(7, 10))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10)))))
	a.arrivedAt(1, 2)
	a.run()
	// A table that -target leaves behind stands at the older mapping, and its dump waits.
	a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 12))), more("f", avroPart("event_id user_id", row(8, 10))), full(feed.TableMapping, avroPart("from_user_id to_user_id", row(12, 10)))))
	a.arrivedAt(2, 5)
	a.opts.Targets = []string{"table.e"}
	a.run()
	a.opts.Targets = nil
	f, got := a.figures()
	for name, want := range map[string]string{
		"e": "3 rows, 0 hidden, 1 bad, 1 files, dump 2 of 05:00, lag 0s, 0 waiting",
		"f": "1 rows, 0 hidden, 0 bad, 1 files, dump 1 of 02:00, lag 3h0m0s, 1 waiting",
	} {
		if got[name] != want {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
	if f.Lineage == "" || len(f.Holds) > 0 {
		t.Errorf("%+v", f)
	}
	a.run()
	if _, got := a.figures(); got["f"] != "2 rows, 0 hidden, 0 bad, 1 files, dump 2 of 05:00, lag 0s, 0 waiting" {
		t.Errorf("%s", got["f"])
	}
}
