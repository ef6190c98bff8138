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

// Work is measured in bytes of part files and data files that are read, copied or spliced.
// What takes longer or less long counts as more or fewer bytes, about as was measured.
const (
	workOfStored    = 1        // a byte of data files of which all rows are read
	workOfWritten   = 2        // a byte of rows that are merged, encoded and compressed
	workOfColumn    = 48 << 10 // a column of a file of such rows, whatever it holds
	workOfCompared  = 3        // a byte of published files whose rows are compared with staged ones
	publishedOfWork = 16       // bytes that are moved to their place and count as one
	splicedOfWork   = 3        // bytes of a file that is spliced and count as one, when they are read and in each sink
	probedOfWork    = 2        // bytes of part files whose users and keys are looked up in the index, and that count as one
	lookedOfWork    = 4        // bytes of files of which some rows are looked for, and that count as one
)

// WorkOfStored is that of reading all rows of so many bytes of data files.
func WorkOfStored(bytes int64) int64 { return workOfStored * bytes }

// WorkOfWriting is that of writing rows that become so many bytes of data files.
func WorkOfWriting(bytes int64) int64 { return workOfWritten * bytes }

// WorkOfSpilled is that of writing rows which did not fit in memory, of which it would be
// so much if they did: they are read again, from scratch files.
func WorkOfSpilled(writing int64) int64 { return writing * 3 / 2 }

// WorkOfFiles is what writing so many files of so many columns takes beside.
func WorkOfFiles(files, columns int) int64 { return int64(files) * int64(columns) * workOfColumn }

// WorkOfNew is about the work of writing rows of a new table that become so many bytes of
// data files, while nobody knows of how many.
func WorkOfNew(bytes int64) int64 { return WorkOfWriting(bytes) + bytes/2 }

// WorkOfPublishing is that of making so many bytes of staged files visible.
func WorkOfPublishing(bytes int64) int64 { return bytes / publishedOfWork }

// WorkOfComparing is that of comparing the rows of so many bytes of published files with
// staged ones.
func WorkOfComparing(bytes int64) int64 { return workOfCompared * bytes }

// WorkOfSplicing is about that of files of so many bytes in one sink, of which most is
// taken over, in so many sinks.
func WorkOfSplicing(bytes int64, sinks int) int64 { return bytes * int64(1+sinks) / splicedOfWork }

// WorkOfProbing is that of looking up in the index what so many bytes of part files bring.
func WorkOfProbing(delivered int64) int64 { return delivered / probedOfWork }

// WorkOfLooking is that of looking for some rows in files of so many bytes.
func WorkOfLooking(bytes int64) int64 { return bytes / lookedOfWork }

// publishedPerDelivered is about what a byte of a part file becomes in a sink, where
// nothing is known of the table: Parquet in zstd of Avro in snappy.
const publishedPerDelivered = 1. / 3

// PublishedOf is about how many bytes of a data file the rows of so many bytes of part
// files become.
func PublishedOf(delivered int64) int64 { return int64(float64(delivered) * publishedPerDelivered) }

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
