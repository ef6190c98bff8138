package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/engine/exec"
	"reconcile/engine/work"
)

// handClock is a clock that a test sets.
type handClock struct{ at time.Time }

func (c *handClock) now() time.Time          { return c.at }
func (c *handClock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newHandClock() *handClock { return &handClock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// Something is shown when a table begins and every now and then: the rows of that table,
// how many of them came in the last seconds, and how long the rest will take.
func TestTracker(t *testing.T) {
	clock := newHandClock()
	var shown []string
	tr := newTracker(clock.now, 10*time.Second, func(t *tracker, fresh bool) {
		left, ok := t.left()
		shown = append(shown, fmt.Sprintf("%s %s %d rows %d/s %v %v %v", t.now.Table, t.now.Phase, t.now.Rows, t.perSecond(), left, ok, fresh))
	})
	tr.tell(work.Progress{Total: 1000}) // before it is anybody's turn
	for i := range int64(21) {          // 100 rows a second
		tr.tell(work.Progress{Table: "a", Phase: exec.Reading, Rows: 100 * i, Done: 10 * i, Total: 1000})
		clock.advance(time.Second)
	}
	for i := range int64(11) { // which then are written, more slowly
		tr.tell(work.Progress{Table: "a", Phase: exec.Writing, Rows: 20 * i, Done: 200 + 10*i, Total: 1000})
		clock.advance(time.Second)
	}
	tr.tell(work.Progress{Table: "b", Phase: exec.Reading, Rows: 5000, Done: 500, Total: 1000}) // of before its turn
	clock.advance(time.Second)
	tr.tell(work.Progress{Table: "b", Phase: exec.Reading, Rows: 5010, Done: 500, Total: 1000})
	if n := tr.perSecond(); n != 10 {
		t.Errorf("%d rows/s of the second table, want 10", n)
	}
	clock.advance(9 * time.Second)
	if n := tr.perSecond(); n != 1 {
		t.Errorf("%d rows/s when nothing came for 9 seconds, want 1", n)
	}
	tr.stop()
	tr.tell(work.Progress{Table: "c"})
	want := []string{
		"a reading 0 rows 0/s 0s false true",
		"a reading 1000 rows 100/s 1m30s true false",
		"a reading 2000 rows 100/s 1m20s true false",
		"a writing 180 rows 20/s 1m13s true false",
		"b reading 5000 rows 0/s 32s true true",
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error(diff)
	}
}

// How much is left is said from a fiftieth of the work on, and goes by what is known of it
// by then.
func TestTrackerLeft(t *testing.T) {
	clock := newHandClock()
	tr := newTracker(clock.now, time.Hour, func(*tracker, bool) {})
	tell := func(done, total int64) { tr.tell(work.Progress{Table: "a", Done: done, Total: total}) }
	tell(0, 1000)
	clock.advance(time.Second)
	if tell(19, 1000); says(tr) != "" {
		t.Errorf("early it says %s", says(tr))
	}
	if tell(20, 1000); says(tr) != "49s" {
		t.Errorf("after a fiftieth it says %s", says(tr))
	}
	if tell(20, 500); says(tr) != "24s" {
		t.Errorf("when half of it proves to be enough it says %s", says(tr))
	}
	if tell(500, 500); says(tr) != "0s" {
		t.Errorf("at the end it says %s", says(tr))
	}
}

func says(t *tracker) string {
	if left, ok := t.left(); ok {
		return left.String()
	}
	return ""
}

// A bar has ten cells at least, on the usual 80 columns and on 40. No line is as wide as the
// terminal, and on a narrow one there is no bar.
func TestBarLine(t *testing.T) {
	clock := newHandClock()
	tr := newTracker(clock.now, time.Hour, func(*tracker, bool) {})
	at := func(table string, share float64) {
		tr.tell(work.Progress{Table: table, Phase: exec.Writing, Rows: 0, Done: 0, Total: 1000})
		clock.advance(4 * time.Second)
		tr.tell(work.Progress{Table: table, Phase: exec.Writing, Rows: 1_210_331, Done: int64(1000 * share), Total: 1000, Share: share})
	}
	at("pageviews", 0.631)
	for width, want := range map[int]string{
		120: "pageviews writing [===============================>                  ] 63.1 %  1,210,331 rows  302,582 rows/s  2s left",
		80:  "pageviews writing [======>   ] 63.1 %  1,210,331 rows  302,582 rows/s  2s left",
		60:  "pageviews [======>   ] 63.1 %  302,582 rows/s  2s left",
		40:  "pageviews [======>   ] 63.1 %  2s left",
		30:  "[======>   ] 63.1 %  2s left",
		26:  "pageviews 63.1 %  2s left",
		24:  "63.1 %  2s left",
		18:  "63.1 %  2s left",
		7:   "63.1 %",
		4:   "",
	} {
		if got := tr.line(width); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
	tr.tell(work.Progress{Table: "pageviews", Phase: exec.Judging, Done: 700, Total: 1000, Share: 0.7})
	if got, want := tr.line(80), "pageviews judging [=============================>            ] 70.0 %  2s left"; got != want {
		t.Errorf("of a phase without rows: %q, want %q", got, want)
	}
	for _, table := range []string{"a", "pageviews", "a_table_with_a_name_that_is_far_too_long_for_any_terminal", "данные_о_посещениях", "ページビュー", "bad\x1bname"} {
		for share := 0.; share <= 1; share += 0.125 {
			at(table, share)
			for width := range 200 {
				line := tr.line(width)
				if cellsOf(line) >= max(width, 1) {
					t.Fatalf("%d columns: %q has %d", width, line, cellsOf(line))
				}
				_, bar, has := strings.Cut(line, "[")
				bar, _, _ = strings.Cut(bar, "]")
				if width >= 40 && !has || has && len(bar) < leastCells {
					t.Fatalf("%d columns: %q has no bar of %d cells", width, line, leastCells)
				}
			}
		}
	}
}

// A bar is drawn by itself, and gone in the end.
func TestBarEnds(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b := newBar(w)
	b.tell(work.Progress{Table: "a", Phase: exec.Reading, Done: 1, Total: 2, Share: 0.5})
	time.Sleep(2 * barEvery)
	b.stop()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	frames := strings.Split(got.String(), "\r")
	if len(frames) < 3 || !strings.HasPrefix(frames[1], "a reading [=") || frames[len(frames)-1] != "\x1b[K" {
		t.Errorf("it was %q", frames)
	}
}

// Records of progress have what is documented, also what they had before there were phases.
func TestProgressRecord(t *testing.T) {
	clock := newHandClock()
	tr := newTracker(clock.now, time.Hour, func(*tracker, bool) {})
	tr.tell(work.Progress{Table: "a", Phase: exec.Reading})
	clock.advance(time.Second)
	tr.tell(work.Progress{Table: "a", Phase: exec.Reading, Rows: 40, RowsRead: 50, BytesRead: 60, Done: 70, Total: 210, Share: 1. / 3})
	got, err := json.Marshal(tr.record(90))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"table":"a","phase":"reading","table_rows":40,"rows_read":50,"bytes_read":60,"bytes_to_read":90,"work_done":70,"work_total":210,"percent":33.3,"rows_per_second":40,"seconds_left":2}`
	if string(got) != want {
		t.Errorf("it is\n%s, want\n%s", got, want)
	}
}
