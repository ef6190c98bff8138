package work

import (
	"sync"

	"reconcile/engine/exec"
)

// Progress is how far a command is.
type Progress struct {
	// Table is the one whose turn it is, empty before the first; Phase is what is being done
	// of it, and Rows the rows of it that the phase is through with. Other tables may be at
	// work meanwhile.
	Table string
	Phase exec.Phase
	Rows  int64
	// RowsRead and BytesRead are those of part files, of all tables; rows that the tables
	// have and that are read count, too.
	RowsRead, BytesRead int64
	// Done and Total are the work of all tables, see package exec. Done never falls. Total
	// is what is known of it by now: it is corrected where it proves to be more or less.
	Done, Total int64
	// Share is the part that is done, from 0 to 1. It never falls: where there proves to be
	// more to do, what is left of the share stands for all of that.
	Share float64
}

// Meter adds up the work of tables. Several goroutines may use it.
type Meter struct {
	tell func(Progress) // with mu held

	mu     sync.Mutex
	tables map[string]*table
	now    Progress
	// The share was share when done of the work was, and there proved to be more to do.
	share float64
	done  int64
}

// table is what is known of one table.
type table struct {
	phase exec.Phase
	rows  int64 // in the phase
	rest  int64 // of the step that is under way
	after int64 // behind that
	ended bool  // whatever is still told of it, as of a prefetch that is given up
}

// NewMeter returns a meter that tells what it is told.
func NewMeter(tell func(Progress)) *Meter {
	return &Meter{tell: tell, tables: map[string]*table{}}
}

// Step says about how much work the next step of a table is, or what is left of it,
// whatever was expected, and how much comes after it.
func (m *Meter) Step(name string, work, after int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.of(name)
	t.ended = false
	m.set(t, work, after)
}

// Turn says that it is the turn of a table.
func (m *Meter) Turn(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Table = name
	if t := m.of(name); t.phase == "" {
		t.phase = exec.Reading
	}
	m.say()
}

// Tell takes what was done of a table, which may be before its turn.
func (m *Meter) Tell(name string, p exec.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.of(name)
	if t.phase != p.Phase {
		t.phase, t.rows = p.Phase, 0
	}
	t.rows += p.Rows
	if p.Phase == exec.Reading {
		m.now.RowsRead += p.Rows
		m.now.BytesRead += p.Bytes
	}
	rest := t.rest - p.Work
	switch {
	case t.ended:
		rest = 0
	case rest < 0:
		rest = m.beyond(t)
	}
	m.now.Done += p.Work
	m.set(t, rest, t.after)
	if p.Rest != nil && !t.ended {
		m.set(t, *p.Rest, t.after)
	}
	m.say()
}

// beyond returns what is left of a step of which there is more than was expected: nobody
// knows how much. It is half of what was left, and the share goes on by that.
func (m *Meter) beyond(t *table) int64 {
	rest := max(t.rest/2, 1)
	if left := m.now.Total - m.now.Done; left > 0 && rest < t.rest {
		m.now.Share += (1 - m.now.Share) * float64(t.rest-rest) / float64(left)
	}
	return rest
}

// End says that nothing more is done of a table.
func (m *Meter) End(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.of(name)
	t.ended = true
	m.set(t, 0, 0)
	m.say()
}

func (m *Meter) of(name string) *table {
	t := m.tables[name]
	if t == nil {
		t = &table{}
		m.tables[name] = t
	}
	return t
}

// set says what is left of a table. The lock is held, here and below.
func (m *Meter) set(t *table, rest, after int64) {
	t.rest, t.after = max(rest, 0), max(after, 0)
	total := m.now.Done
	for _, t := range m.tables {
		total += t.rest + t.after
	}
	if total > m.now.Total { // more is left than seemed so
		m.share, m.done = m.now.Share, m.now.Done
	}
	m.now.Total = total
	switch left := total - m.done; {
	case total == m.now.Done && total > 0:
		m.now.Share = 1
	case left > 0: // min, as sums of fractions are not exact
		m.now.Share = min(max(m.now.Share, m.share+(1-m.share)*float64(m.now.Done-m.done)/float64(left)), 1)
	}
}

// say tells how far the command is.
func (m *Meter) say() {
	if shown := m.tables[m.now.Table]; shown != nil {
		m.now.Phase, m.now.Rows = shown.phase, shown.rows
	}
	m.tell(m.now)
}
