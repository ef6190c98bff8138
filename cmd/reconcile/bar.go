package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"reconcile/internal/amount"
	"reconcile/internal/plain"
)

// barEvery is how often a bar is drawn.
const barEvery = 200 * time.Millisecond

// bar is a progress bar on a terminal. It is drawn by the clock, so that it shows that the
// program lives where nothing is told for a while.
type bar struct {
	*tracker
	to    io.Writer
	width func() int
	ended chan struct{} // is closed to end it
	gone  chan struct{} // is closed when it is
}

func newBar(w io.Writer) progress {
	b := &bar{tracker: newTracker(time.Now, time.Hour, func(*tracker, bool) {}), to: stream(w), width: func() int { return widthOf(w) },
		ended: make(chan struct{}), gone: make(chan struct{})}
	go b.run()
	return b
}

// run draws the bar until it ends.
func (b *bar) run() {
	defer close(b.gone)
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.draw()
		case <-b.ended:
			fmt.Fprint(b.to, "\r\x1b[K")
			return
		}
	}
}

func (b *bar) draw() {
	b.mu.Lock()
	begun := !b.start.IsZero()
	line := b.line(b.width())
	b.mu.Unlock()
	if begun {
		say(b.to, "%s%s%s", plain.Trusted("\r"), line, plain.Trusted("\x1b[K"))
	}
}

func (b *bar) stop() {
	b.tracker.stop()
	close(b.ended)
	<-b.gone
}

// leastCells and mostCells are how wide a bar is, and cellsStep by how much it grows, so that it
// seldom does when a number gets another digit.
const (
	leastCells = 10
	mostCells  = 50
	cellsStep  = 8
	// shortName is how many characters of a table's name stay where there is little room.
	shortName = 12
)

// line shows how far the apply is in fewer characters than a terminal is wide. What does
// not fit beside a bar is left out, what matters least first; at last the bar is.
func (t *tracker) line(width int) string {
	name := plain.Text(t.now.Table)
	short := shortened(name, shortName)
	phase, share := " "+string(t.now.Phase), t.percent()
	rows, rate, left := "", "", ""
	if t.now.Rows > 0 { // not every phase goes by rows
		rows, rate = "  "+amount.Number(t.now.Rows)+" rows", "  "+amount.Number(t.perSecond())+" rows/s"
	}
	if d, ok := t.left(); ok {
		left = "  " + d.String() + " left"
	}
	room := width - 1 // a cursor in the last column may make a new line
	for _, v := range []struct{ before, behind string }{
		{name + phase, rows + rate + left}, {name + phase, rate + left}, {name, rate + left}, {short, rate + left}, {short, left}, {"", left},
	} {
		before, behind := strings.TrimLeft(v.before+" [", " "), "] "+share+v.behind
		if cells := room - cellsOf(before) - len(behind); cells >= leastCells {
			return before + t.cells(min(cells-(cells-leastCells)%cellsStep, mostCells)) + behind
		}
	}
	for _, text := range []string{short + " " + share + left, share + left, share} {
		if cellsOf(text) <= room {
			return text
		}
	}
	return ""
}

// cells draws a bar of a width.
func (t *tracker) cells(n int) string {
	full := min(int(t.now.Share*float64(n)), n)
	if full == n {
		return strings.Repeat("=", n)
	}
	return strings.Repeat("=", full) + ">" + strings.Repeat(" ", n-full-1)
}

// shortened cuts a name to a number of characters.
func shortened(name string, n int) string {
	if utf8.RuneCountInString(name) <= n {
		return name
	}
	return string([]rune(name)[:n-1]) + "…"
}

// cellsOf is how many columns of a terminal a text takes at most: characters beyond ASCII
// may take two.
func cellsOf(text string) int {
	n := 0
	for _, r := range text {
		n++
		if r >= utf8.RuneSelf {
			n++
		}
	}
	return n
}
