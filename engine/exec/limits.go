package exec

// Limits are what a task may use.
type Limits struct {
	Workers int // goroutines that work on rows
	Memory  int // bytes for rows that wait for their partition, and for writing them
	// Scratch is the folder for what does not fit.
	Scratch    string
	SpillGroup int // rows of a row group in scratch files, 0 for the default
}

// SealAt is how many bytes of rows a worker collects for a segment: few enough that
// they are sorted fast, and so many that segments stay few.
func (l Limits) SealAt() int { return l.Memory / 4 / l.Workers }

// GroupBytes is how many bytes of records may wait for a row group. Decoded and
// encoded they take several times that.
func (l Limits) GroupBytes() int { return min(max(l.Memory/4/l.Workers, 4<<20), 64<<20) }

// PackBytes is how many bytes the texts of packed records may take.
func (l Limits) PackBytes() int { return l.Memory / 32 }

// SortBytes is how many bytes of entries a sorter holds before it spills: a quarter of
// the memory.
func (l Limits) SortBytes() int { return l.Memory / 4 }
