package exec

import "sync"

// Events are told while a task runs, by several goroutines at once. None may be nil.
type Events struct {
	// Progress is told what was done since it was told last: a block, a row group or a
	// file at a time, never a row.
	Progress func(Progress)
}

// Phase is what is being done.
type Phase string

// The phases of a task, and of the commit behind it.
const (
	Reading    Phase = "reading"
	Judging    Phase = "judging"
	Merging    Phase = "merging" // rows that do not fit in memory, into fewer scratch files
	Writing    Phase = "writing"
	Comparing  Phase = "comparing" // a rebuild of the state: what was staged with what is published
	Publishing Phase = "publishing"
)

// Progress is a piece of the work of a task.
type Progress struct {
	Phase Phase `json:",omitempty"`
	Rows  int64 `json:",omitempty"` // that the phase is through with
	Bytes int64 `json:",omitempty"` // of part files that were read
	Work  int64 `json:",omitempty"`
	// Rest is all the work that is left of the task, where it has become known; nil where
	// what was expected stays.
	Rest *int64 `json:",omitempty"`
}

// Expect tells how much work is left of a task, now that it is known.
func (e Events) Expect(phase Phase, rest int64) { e.Progress(Progress{Phase: phase, Rest: &rest}) }

// Stretch begins a part of the work of a task that goes through so many rows, or bytes.
func (e Events) Stretch(phase Phase, length, work int64) *Stretch {
	return &Stretch{events: e, phase: phase, length: max(length, 1), work: work}
}

// Stretch is work of which it is known how much there is. It is told as rows pass by.
// Several goroutines may use it.
type Stretch struct {
	events Events
	phase  Phase
	length int64
	work   int64

	mu     sync.Mutex
	passed int64 // of the length
	told   int64 // of the work
}

// Pass tells that so many rows more are done.
func (s *Stretch) Pass(rows int) { s.pass(int64(rows), int64(rows)) }

// PassBytes tells the same of bytes.
func (s *Stretch) PassBytes(n int64) { s.pass(n, 0) }

func (s *Stretch) pass(n, rows int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed += n
	upTo := int64(float64(s.work) * min(float64(s.passed)/float64(s.length), 1))
	s.events.Progress(Progress{Phase: s.phase, Rows: rows, Work: upTo - s.told})
	s.told = upTo
}

// End tells that all of it is done, whatever became of the rows that did not pass by.
func (s *Stretch) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told < s.work {
		s.events.Progress(Progress{Phase: s.phase, Work: s.work - s.told})
		s.told = s.work
	}
}
