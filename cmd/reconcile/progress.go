package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cheggaaa/pb/v3"

	"reconcile/internal/amount"
	"reconcile/internal/plain"
)

// tracker counts what was read. It is safe for several goroutines.
type tracker struct {
	mu          sync.Mutex
	start       time.Time
	last        time.Time // when something was shown
	every       time.Duration
	total       int64
	rows, bytes int64
	table       string
	stopped     bool
	show        func(t *tracker, newTable bool) // called with mu held
}

func newTracker(total int64, every time.Duration, show func(t *tracker, newTable bool)) *tracker {
	now := time.Now()
	return &tracker{start: now, last: now, every: every, total: total, show: show}
}

func (t *tracker) add(table string, rows, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	t.rows += rows
	t.bytes += bytes
	fresh := table != t.table
	t.table = table
	if now := time.Now(); fresh || now.Sub(t.last) >= t.every {
		t.last = now
		t.show(t, fresh)
	}
}

func (t *tracker) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

// perSecond is the rate of rows so far.
func (t *tracker) perSecond() int64 {
	s := time.Since(t.start).Seconds()
	if s < 0.1 {
		return 0
	}
	return int64(float64(t.rows) / s)
}

// left estimates the time that is left; false when there is nothing to go by.
func (t *tracker) left() (time.Duration, bool) {
	if t.total <= 0 || t.bytes <= 0 || t.bytes > t.total {
		return 0, false
	}
	spent := time.Since(t.start)
	return time.Duration(float64(spent) * float64(t.total-t.bytes) / float64(t.bytes)).Round(time.Second), true
}

const (
	lineEvery   = 10 * time.Second
	recordEvery = time.Second
	barEvery    = 200 * time.Millisecond
)

// newLines writes a plain line when a table begins and every now and then.
func newLines(w io.Writer, total int64) progress {
	return newTracker(total, lineEvery, func(t *tracker, fresh bool) {
		if fresh {
			say(w, "table.%s: reading ...\n", t.table)
			return
		}
		more := ""
		if left, ok := t.left(); ok {
			more = fmt.Sprintf(", about %s left to read", left)
		}
		say(w, "table.%s: %s rows and %s read so far, %s rows/s%s\n", t.table, amount.Number(t.rows), size(t.bytes), amount.Number(t.perSecond()), more)
	})
}

// newRecords writes the same as JSON.
func newRecords(v *jsonView, total int64) progress {
	return newTracker(total, recordEvery, func(t *tracker, _ bool) {
		m := map[string]any{"table": t.table, "rows_read": t.rows, "bytes_read": t.bytes, "bytes_to_read": t.total, "rows_per_second": t.perSecond()}
		if left, ok := t.left(); ok {
			m["seconds_left"] = int64(left.Seconds())
		}
		v.record("progress", m, "")
		_ = v.out.flush() // the writer keeps the error for the end of the program
	})
}

// bar is a progress bar on a terminal. It moves the cursor, and so writes to the file
// itself.
type bar struct {
	*tracker
	bar *pb.ProgressBar
}

const (
	barTemplate   = `{{string . "what"}} {{bar . }} {{percent . }} {{counters . }} {{rtime . "%s left"}}`
	countTemplate = `{{string . "what"}} {{cycle . "|" "/" "-" "\\"}}`
)

func newBar(w io.Writer, total int64) progress {
	b := pb.New64(total).SetWriter(stream(w)).SetRefreshRate(barEvery).SetWidth(widthOf(w)).
		Set(pb.Bytes, true).Set(pb.SIBytesPrefix, true).Set(pb.Terminal, true).Set(pb.CleanOnFinish, true)
	b.SetTemplateString(barTemplate)
	if total <= 0 {
		b.SetTemplateString(countTemplate)
	}
	out := &bar{bar: b}
	out.tracker = newTracker(total, barEvery, func(t *tracker, _ bool) {
		b.Set("what", plain.Sprintf("%s %s rows, %s rows/s", t.table, amount.Number(t.rows), amount.Number(t.perSecond())))
		b.SetCurrent(min(t.bytes, max(total, 0)))
	})
	b.Start()
	return out
}

func (b *bar) stop() {
	b.tracker.stop()
	b.bar.Finish()
}
