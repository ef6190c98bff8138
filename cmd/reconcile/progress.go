package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"reconcile/engine/work"
	"reconcile/internal/amount"
)

// progress shows how far an apply is. After stop nothing more is shown.
type progress interface {
	tell(now work.Progress)
	stop()
}

// tracker knows how far an apply is, how fast that goes, and how long it will take. It is
// safe for several goroutines.
type tracker struct {
	clock func() time.Time
	every time.Duration
	show  func(t *tracker, newTable bool) // called with mu held

	mu      sync.Mutex
	start   time.Time // when it was told first
	last    time.Time // when something was shown
	now     work.Progress
	recent  []sample // of the phase that now is about, the oldest first
	stopped bool
}

// sample is how many rows there were at a time.
type sample struct {
	at   time.Time
	rows int64
}

const (
	// rateOver is how long ago rows may have been that a rate counts, sampleEvery how
	// far apart samples are.
	rateOver    = 5 * time.Second
	sampleEvery = rateOver / 20
	// foretellFrom is the share of the work from which on it is said how long the rest takes.
	foretellFrom = 1. / 50
)

func newTracker(clock func() time.Time, every time.Duration, show func(t *tracker, newTable bool)) *tracker {
	return &tracker{clock: clock, every: every, show: show}
}

func (t *tracker) tell(now work.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || now.Table == "" {
		return
	}
	at := t.clock()
	if t.start.IsZero() {
		t.start = at
	}
	fresh := now.Table != t.now.Table
	if fresh || now.Phase != t.now.Phase {
		t.recent = t.recent[:0]
	}
	t.now = now
	t.sample(at)
	if fresh || at.Sub(t.last) >= t.every {
		t.last = at
		t.show(t, fresh)
	}
}

// sample notes how many rows there are.
func (t *tracker) sample(at time.Time) {
	n := len(t.recent)
	if n > 0 && at.Sub(t.recent[n-1].at) < sampleEvery {
		return
	}
	t.recent = append(t.recent, sample{at, t.now.Rows})
	for len(t.recent) > 1 && at.Sub(t.recent[1].at) >= rateOver {
		t.recent = t.recent[1:]
	}
}

func (t *tracker) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

// perSecond is how many rows of the table's phase a second took of late.
func (t *tracker) perSecond() int64 {
	if len(t.recent) == 0 {
		return 0
	}
	first := t.recent[0]
	s := t.clock().Sub(first.at).Seconds()
	if s < 0.1 {
		return 0
	}
	return int64(float64(t.now.Rows-first.rows) / s)
}

// left estimates the time that is left; false when there is nothing to go by. Work takes
// as long as it took so far.
func (t *tracker) left() (time.Duration, bool) {
	if t.now.Done <= 0 || float64(t.now.Done) < foretellFrom*float64(t.now.Total) {
		return 0, false
	}
	spent := t.clock().Sub(t.start)
	return time.Duration(float64(spent) * float64(t.now.Total-t.now.Done) / float64(t.now.Done)).Round(time.Second), true
}

// percent is the share that is done.
func (t *tracker) percent() string { return fmt.Sprintf("%.1f %%", 100*t.now.Share) }

const (
	lineEvery   = 10 * time.Second
	recordEvery = time.Second
)

// newLines writes a plain line when a table begins and every now and then.
func newLines(w io.Writer) progress {
	return newTracker(time.Now, lineEvery, func(t *tracker, fresh bool) {
		if fresh {
			say(w, "table.%s: at work ...\n", t.now.Table)
			return
		}
		rows, more := "", ""
		if t.now.Rows > 0 { // not every phase goes by rows
			rows = fmt.Sprintf(", %s rows so far, %s rows/s", amount.Number(t.now.Rows), amount.Number(t.perSecond()))
		}
		if left, ok := t.left(); ok {
			more = fmt.Sprintf(", about %s left", left)
		}
		say(w, "table.%s: %s%s; %s of all is done%s\n", t.now.Table, string(t.now.Phase), rows, t.percent(), more)
	})
}

// newRecords writes the same as JSON.
func newRecords(v *jsonView, toRead int64) progress {
	return newTracker(time.Now, recordEvery, func(t *tracker, _ bool) {
		v.record("progress", t.record(toRead), "")
		_ = v.out.flush() // the writer keeps the error for the end of the program
	})
}

// progressRecord is how far an apply is, for programs.
type progressRecord struct {
	Table       string  `json:"table"`
	Phase       string  `json:"phase"`
	TableRows   int64   `json:"table_rows"`
	Rows        int64   `json:"rows_read"`
	Bytes       int64   `json:"bytes_read"`
	BytesToRead int64   `json:"bytes_to_read"`
	Done        int64   `json:"work_done"`
	Total       int64   `json:"work_total"`
	Percent     float64 `json:"percent"`
	Rate        int64   `json:"rows_per_second"`
	SecondsLeft *int64  `json:"seconds_left,omitempty"`
}

// record describes how far the apply is. toRead is how many bytes of part files it reads.
func (t *tracker) record(toRead int64) progressRecord {
	n := &t.now
	r := progressRecord{Table: n.Table, Phase: string(n.Phase), TableRows: n.Rows, Rows: n.RowsRead, Bytes: n.BytesRead, BytesToRead: toRead,
		Done: n.Done, Total: n.Total, Percent: float64(int64(1000*n.Share)) / 10, Rate: t.perSecond()}
	if left, ok := t.left(); ok {
		s := int64(left.Seconds())
		r.SecondsLeft = &s
	}
	return r
}
