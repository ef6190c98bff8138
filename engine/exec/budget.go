package exec

// Budget hands out the memory of a command and the goroutines that work on rows, to those
// who decode, collect and sort rows, judge them, share texts and encode, and to the tables
// whose tasks are prefetched. Nobody else divides either. It is a value that nobody
// changes; the budgets that it gives are parts of it.
//
// Of memory_limit, programSize is for the program, and four tenths of the rest are for
// rows. A table holds at a time, in parts of these, for all workers together:
//
//	taking rows in    Segments 1/2, Collecting 1/4, Verdicts 1/4, Texts 1/32
//	writing them      Segments 1/2, RowGroup 1/4 for published and 1/4 for shadow rows,
//	                  IndexEntries 1/4, Texts 1/32
//	a pass of users   Segments 1/2, those of MovedUsers 1/8, RowGroup 1/4, Texts 1/32
//
// Beside it the prefetched tables hold no more than Rows, all together. So much is within
// memory_limit, without programSize, with room for what blocks and row groups of usual
// size come to when they are decoded and encoded.
//
// How large others may be does not follow memory_limit: Block and BlockText for each
// worker, FileRowGroup for each file under way in each sink, IndexFilters for each run of
// an index that is searched, ScratchRows or ScratchBytes for each spilled segment that is
// read. Nor does leastRowGroup, where many workers share little memory.
//
// A holder keeps to its part by itself: what does not fit is spilled, or another strategy
// is taken. User mappings are beside memory_limit.
type Budget struct {
	rows    int // bytes
	workers int
	limit   int64 // memory_limit, 0 for none
}

const (
	// programSize is what the program takes without any rows.
	programSize = 64 << 20
	// rowsShare is the part of memory_limit, without programSize, that is for rows.
	rowsShare = 0.4

	// The parts of the memory for rows. Segments in memory are judged and merged while
	// others are collected, sorted or encoded.
	segmentsPart = 2
	workingPart  = 4
	textsPart    = 32
	// The parts of a budget that passes over users have for rows that are grouped beside
	// those that are delivered.
	movedUsersPart = 4
	usersDeltaPart = 2

	// leastRowGroup and mostRowGroup bound the records of a row group in bytes. Decoded and
	// encoded they take several times that.
	leastRowGroup = 4 << 20
	mostRowGroup  = 64 << 20

	verdictSize    = 40 // bytes of a row that waits for its verdict
	indexEntrySize = 16 // bytes of an entry of the index
	rowsOfFile     = 2  // bytes that rows take in memory, for each of their files

	// manifestPart is the part of memory_limit that a manifest may have.
	manifestPart = 4
)

// What is the same for each memory_limit.
const (
	mostBlock     = 256 << 20
	mostBlockText = 512 << 20
	mostManifest  = 256 << 20
	// fileRowGroup decides where row groups end, and so about the bytes of files.
	fileRowGroup = 96 << 20
	indexFilters = 16 << 20
	// scratchRows and scratchBytes are small, as a merge holds as much of every segment.
	scratchRows  = 16384
	scratchBytes = 60 << 10
)

// NewBudget is the budget of a command with a memory_limit in bytes.
func NewBudget(memoryLimit int64, workers int) Budget {
	return Budget{int(float64(max(memoryLimit-programSize, programSize)) * rowsShare), workers, memoryLimit}
}

// RowBudget is a budget of so many bytes for rows alone, without a memory_limit.
func RowBudget(bytes, workers int) Budget { return Budget{bytes, workers, 0} }

// Rows is how many bytes rows may take in all.
func (b Budget) Rows() int { return b.rows }

// Workers is how many goroutines work on rows side by side.
func (b Budget) Workers() int { return b.workers }

// Block is how many bytes a block of a part file may have, as it is stored and as it is
// decompressed. A worker has one at a time.
func (b Budget) Block() int { return mostBlock }

// BlockText is how many bytes of text the structured values of a block may make.
func (b Budget) BlockText() int { return mostBlockText }

// Manifest is how many bytes a manifest may have, as it is read whole. At most so many
// bytes of manifests are read side by side.
func (b Budget) Manifest() int64 {
	if b.limit == 0 {
		return mostManifest
	}
	return min(b.limit/manifestPart, mostManifest)
}

// Collecting is how many bytes of rows a worker collects for a segment: few enough that
// they are sorted fast, and so many that segments stay few.
func (b Budget) Collecting() int { return b.rows / workingPart / b.workers }

// Segments is how many bytes of sorted segments stay in memory.
func (b Budget) Segments() int { return b.rows / segmentsPart }

// ScratchRows is how many rows of a spilled segment are read at once.
func (b Budget) ScratchRows() int { return scratchRows }

// ScratchBytes is how many bytes of a spilled segment of encoded rows are read at once.
func (b Budget) ScratchBytes() int { return scratchBytes }

// Texts is how many bytes the texts that records share may take.
func (b Budget) Texts() int { return b.rows / textsPart }

// Verdicts is how many rows that wait for their verdict stay in memory.
func (b Budget) Verdicts() int { return b.rows / workingPart / verdictSize }

// RowGroup is how many bytes of records may wait for a row group.
func (b Budget) RowGroup() int {
	return min(max(b.rows/workingPart/b.workers, leastRowGroup), mostRowGroup)
}

// FileRowGroup is how many bytes rows may take that wait, decoded, for a row group of a
// file in one sink, as those of small batches do.
func (b Budget) FileRowGroup() int { return fileRowGroup }

// Encoders is how many columns of a file may be encoded at a time where so many files
// are written side by side.
func (b Budget) Encoders(files int) int { return b.workers / max(files, 1) }

// IndexEntries is how many entries of the index are sorted in memory.
func (b Budget) IndexEntries() int { return b.rows / workingPart / indexEntrySize }

// IndexFilters is up to how many bytes of filters of a run of the index stay in memory.
func (b Budget) IndexFilters() int { return indexFilters }

// MovedUsers is the part for the rows of raw users that stand for another one, beside a
// pass over all users.
func (b Budget) MovedUsers() Budget { return Budget{b.rows / movedUsersPart, b.workers, b.limit} }

// UsersDelta is the part for delivered users, and that for the members of their groups.
func (b Budget) UsersDelta() Budget { return Budget{b.rows / usersDeltaPart, b.workers, b.limit} }

// Prefetched is the part of one of the tables that are prefetched. All of them together
// have as much as the table whose turn it is.
func (b Budget) Prefetched() Budget { return Budget{b.rows / b.workers, 1, b.limit} }

// Prefetches reports whether so many tables are prefetched beside the one whose turn it
// is: one for each worker, if all of these read and write no more than so many bytes of
// files. With more of them rows would mostly have to be spilled.
func (b Budget) Prefetches(tables int, bytes int64) bool {
	return tables <= b.workers && bytes*rowsOfFile <= int64(b.rows)
}

// Holds reports whether the segments of the rows of so many bytes of files stay in
// memory.
func (b Budget) Holds(bytes int64) bool { return bytes*rowsOfFile <= int64(b.Segments()) }
