package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/engine/model"
	"reconcile/internal/feed"
)

const waitConfig = `
table "*" { sinks = [sink.parquet.lake] }
ignore "noise" {}
`

// waitingText writes what the state says that waits: what is held, since how many hours
// after midnight, and what of tables is not applied.
func (a *bed) waitingText() []string {
	a.t.Helper()
	var out []string
	w := a.snapshot().Waiting
	for _, h := range w.Holds {
		what := h.Table
		switch {
		case h.Sink != "":
			what = "sink " + filepath.Base(h.Sink)
		case what == "":
			what = h.File
		}
		if h.Table != "" && h.Dump != 0 {
			what += fmt.Sprintf("@%d", h.Dump)
		}
		out = append(out, fmt.Sprintf("%s since %d", what, time.UnixMilli(h.Since).UTC().Hour()))
	}
	for _, t := range w.Tables {
		text := fmt.Sprintf("%s lacks %d to %d", t.Table, t.Unapplied, t.Newest)
		if t.Behind {
			text += ", behind"
		}
		out = append(out, text)
	}
	return out
}

// TestWhatWaitsIsDated: the state says since when something is held, and what an apply has
// seen and left. It is written when that changes, and then only.
func TestWhatWaitsIsDated(t *testing.T) {
	a := newBed(t, waitConfig)
	hour := 0
	a.opts.Now = func() time.Time { return time.Date(2026, 3, 5, hour, 0, 0, 0, time.UTC) }
	part := func(id int64) *model.File { return avroPart("event_id user_id", row(id, 10)) }
	missing := func(id int64) *model.File {
		f := part(id)
		f.Fault = model.Missing
		return f
	}
	heal := func(d *model.Dump) {
		t.Helper()
		if err := d.Heal(filepath.Join(a.dir, "dumps")); err != nil {
			t.Fatal(err)
		}
	}
	// night applies at an hour what arrives, and once more an hour later, which writes
	// nothing.
	night := func(at int, want []string, dumps ...*model.Dump) {
		t.Helper()
		hour = at
		a.arrive(dumps...)
		if _, err := a.apply(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, a.waitingText()); diff != "" {
			t.Errorf("at %d (-want +got)\n%s", at, diff)
		}
		hour++
		a.checkIdle()
	}
	night(1, nil, dumpOf(1, full("e", part(1)), full("f", part(1))))
	two := dumpOf(2, more("e", missing(2)))
	night(3, []string{"e@2 since 3", "e lacks 1 to 2"}, two)
	night(5, []string{"e@2 since 3", "e lacks 2 to 4"}, dumpOf(4, more("e", part(4)), more("f", part(4))))

	// It is held still, from another dump on.
	heal(two)
	night(7, []string{"e@3 since 3", "e lacks 2 to 4"}, dumpOf(3, more("e", missing(3))))

	// -target leaves others as they are, and what it knows of them.
	five := dumpOf(5, more("f", missing(5)))
	a.opts.Targets = []string{"table.e"}
	night(9, []string{"e@3 since 3", "f@5 since 9", "e lacks 2 to 4", "f lacks 1 to 5"}, five)
	a.opts.Targets = []string{"table.f"}
	night(11, []string{"e@3 since 3", "f@5 since 9", "e lacks 2 to 4", "f lacks 1 to 5"})
	a.opts.Targets = nil
	heal(five)
	heal(a.arrived[3])
	a.opts.Targets = []string{"table.e"}
	night(13, []string{"f@5 since 9", "f lacks 1 to 5, behind"}) // whether it can be taken shows when it is
	a.opts.Targets = nil
	night(15, nil)

	// A manifest that cannot be read, and a mapping.
	six := filepath.Join(a.dir, "dumps", "manifests", "sync_6.json")
	if err := os.WriteFile(six, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	night(17, []string{"manifests/sync_6.json since 17", "user_migrations@7 since 17", "user_migrations lacks 1 to 7"},
		dumpOf(7, full(feed.TableMapping, func() *model.File {
			f := avroPart("from_user_id to_user_id time", row(10, 11, "2026-02-01"))
			f.Fault = model.Missing
			return f
		}())))
	if err := os.Remove(six); err != nil {
		t.Fatal(err)
	}
	heal(a.arrived[len(a.arrived)-1])
	night(19, nil)
}

// TestWaitingOfAnOlderState: a state that is older than the lake is not written to only to
// remember what waits.
func TestWaitingOfAnOlderState(t *testing.T) {
	a := newBed(t, waitConfig)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	restore := a.backup()
	a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10)))))
	restore()
	before := strings.Join(a.tree(), "\n")
	a.held(a.run(), "e older")
	if after := strings.Join(a.tree(), "\n"); before != after || !a.snapshot().Waiting.Empty() {
		t.Errorf("it wrote\n%s\nafter\n%s", after, before)
	}
	a.opts.Repair = true
	a.held(a.run())
	a.checkIdle()
}
