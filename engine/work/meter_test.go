package work

import (
	"testing"

	"reconcile/engine/exec"
)

// log is what a meter told.
type log struct {
	t   *testing.T
	all []Progress
}

// newLog returns a meter, and what it tells. It checks that the work that is done and the
// share of it never fall, and that no more is done than there is.
func newLog(t *testing.T) (*Meter, *log) {
	l := &log{t: t}
	return NewMeter(l.add), l
}

func (l *log) add(p Progress) {
	was := l.last()
	if p.Done < was.Done || p.Share < was.Share || p.Share > 1 || p.Done > p.Total {
		l.t.Errorf("after %+v comes %+v", was, p)
	}
	l.all = append(l.all, p)
}

func (l *log) last() Progress {
	if len(l.all) == 0 {
		return Progress{}
	}
	return l.all[len(l.all)-1]
}

func read(bytes int64) exec.Progress {
	return exec.Progress{Phase: exec.Reading, Rows: bytes / 10, Bytes: bytes, Work: bytes}
}

func write(work int64) exec.Progress {
	return exec.Progress{Phase: exec.Writing, Rows: work / 20, Work: work}
}

// Where the plan is right, shares are those of all work, whoever does it.
func TestMeterAddsUpTables(t *testing.T) {
	m, l := newLog(t)
	m.Step("a", 300, 100)
	m.Step("b", 600, 0)
	m.Turn("a")
	for _, c := range []struct {
		table string
		p     exec.Progress
		want  Progress
	}{
		{"a", read(100), Progress{"a", exec.Reading, 10, 10, 100, 100, 1000, 0.1}},
		{"b", read(200), Progress{"a", exec.Reading, 10, 30, 300, 300, 1000, 0.3}}, // before its turn
		{"a", write(200), Progress{"a", exec.Writing, 10, 30, 300, 500, 1000, 0.5}},
	} {
		if m.Tell(c.table, c.p); l.last() != c.want {
			t.Errorf("after %+v of %s: %+v, want %+v", c.p, c.table, l.last(), c.want)
		}
	}
	m.Step("a", 100, 0)
	m.Tell("a", exec.Progress{Phase: exec.Publishing, Work: 100})
	m.End("a")
	m.Turn("b")
	if want := (Progress{"b", exec.Reading, 20, 30, 300, 600, 1000, 0.6}); l.last() != want {
		t.Errorf("in its turn the second table is %+v, want %+v", l.last(), want)
	}
	m.Tell("b", write(400))
	m.End("b")
	if now := l.last(); now.Share != 1 || now.Done != now.Total {
		t.Errorf("in the end: %+v", now)
	}
}

// Where there proves to be more to do, the share goes on from where it is, more slowly, and
// is whole in the end.
func TestMeterCorrectsUpward(t *testing.T) {
	m, l := newLog(t)
	m.Step("a", 100, 0)
	m.Turn("a")
	m.Tell("a", read(80))
	rest := int64(400)
	m.Tell("a", exec.Progress{Phase: exec.Writing, Rest: &rest})
	if now := l.last(); now.Share != 0.8 || now.Total != 480 {
		t.Errorf("when more is to be done: %+v", now)
	}
	for i := range 4 {
		before := l.last().Share
		m.Tell("a", write(100))
		if now := l.last(); now.Share <= before || i == 1 && now.Share != 0.9 {
			t.Errorf("after %d: %+v", i, now)
		}
	}
	if now := l.last(); now.Share != 1 {
		t.Errorf("in the end: %+v", now)
	}
}

// Where there proves to be less to do, or a table fails or is held, the share jumps.
func TestMeterCorrectsDownward(t *testing.T) {
	m, l := newLog(t)
	m.Step("a", 500, 100)
	m.Step("b", 400, 0)
	m.Turn("a")
	m.Tell("a", read(100))
	rest := int64(100)
	if m.Tell("a", exec.Progress{Phase: exec.Writing, Rest: &rest}); l.last().Total != 700 {
		t.Errorf("with less to do: %+v", l.last())
	}
	if m.End("a"); l.last().Total != 500 || l.last().Share != 0.2 {
		t.Errorf("without a table: %+v", l.last())
	}
	m.Turn("b")
	m.Tell("b", read(400))
	if m.End("b"); l.last().Share != 1 {
		t.Errorf("in the end: %+v", l.last())
	}
}

// Where more is done than there seemed to be, the share is never whole before the end.
func TestMeterBeyondThePlan(t *testing.T) {
	m, l := newLog(t)
	m.Step("a", 100, 0)
	m.Turn("a")
	for range 50 {
		if m.Tell("a", read(30)); l.last().Share >= 1 {
			t.Fatalf("while it goes on: %+v", l.last())
		}
	}
	if m.End("a"); l.last().Share != 1 || l.last().Done != 1500 {
		t.Errorf("in the end: %+v", l.last())
	}
}

// What is given up still tells of its work for a while: none of it is left then.
func TestMeterToldBehindTheEnd(t *testing.T) {
	m, l := newLog(t)
	m.Step("a", 100, 0)
	m.Tell("a", read(50))
	m.End("a")
	m.Tell("a", read(70))
	if p := l.last(); p.Done != p.Total || p.Share != 1 {
		t.Errorf("behind the end of the only table: %+v", p)
	}
	m.Step("a", 100, 0)
	if m.Tell("a", read(50)); l.last().Total != 220 {
		t.Errorf("in another step: %+v", l.last())
	}
}

// Nobody is shown before it is the turn of a table, whoever is at work already.
func TestMeterBeforeTheFirstTurn(t *testing.T) {
	m, l := newLog(t)
	m.Step("a", 100, 0)
	m.Step("b", 100, 0)
	m.Tell("b", read(50))
	if want := (Progress{"", "", 0, 5, 50, 50, 200, 0.25}); l.last() != want {
		t.Errorf("before the first turn: %+v, want %+v", l.last(), want)
	}
	if m.Turn("a"); l.last().Table != "a" || l.last().Done != 50 {
		t.Errorf("in the first turn: %+v", l.last())
	}
}
