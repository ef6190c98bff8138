package exec

import "sync"

// Budget hands out the memory of a command and the goroutines that work on rows, to those
// who decode, collect and sort rows, judge them, share texts and encode, and to the tables
// whose tasks are prefetched. Nobody else divides either. It is a value that nobody
// changes; the budgets that it gives are parts of it.
//
// Of memory_limit, programSize is for the program, and four tenths of the rest are for
// rows. A table holds at a time, in parts of these, for all workers together:
//
//	taking rows in    Segments 1/2, Collecting 1/4, Verdicts 1/4, Texts 1/32, Rejected 1/32
//	comparing them    Segments 1/2, Probed 1/2
//	merging them      Segments 1/2, those of Merged 1/2
//	writing them      Segments 1/2, RowGroup 1/4 for published and 1/4 for shadow rows,
//	                  IndexEntries 1/4, Texts 1/32
//	a pass of users   Segments 1/2, those of MovedUsers 1/8, RowGroup 1/4, Texts 1/32
//
// Beside it the prefetched tables hold no more than Rows, all together. So much is within
// memory_limit, without programSize, with room for what blocks and row groups of usual
// size come to when they are decoded and encoded.
//
// The others follow memory_limit as a whole: Block, Text and Manifest say what is too large
// to be taken. A block that is no LargeBlock is held by each worker, a large one by the
// worker whose turn it is. Slice is for each worker, FileRowGroup for each file under way,
// in all sinks together, Transfers for each that is remote, IndexFilters for each run of an index that is searched.
//
// A holder keeps to its part by itself: what does not fit is spilled, or another strategy
// is taken. User mappings are beside memory_limit.
type Budget struct {
	rows    int // bytes
	workers int
	limit   int64       // memory_limit, 0 for none
	turn    *sync.Mutex // of large blocks
}

const (
	// programSize is what the program takes without any rows.
	programSize = 64 << 20
	// leastForRows is what there is beside it, however small memory_limit is.
	leastForRows = 48 << 20
	// rowsShare is the part of memory_limit, without programSize, that is for rows.
	rowsShare = 0.4

	// The parts of the memory for rows. Segments in memory are judged and merged while
	// others are collected, sorted or encoded.
	segmentsPart = 2
	workingPart  = 4
	probedPart   = 2
	textsPart    = 32
	// The parts of a budget that passes over users have for rows that are grouped beside
	// those that are delivered.
	movedUsersPart = 4
	usersDeltaPart = 2

	// leastRowGroup and mostRowGroup bound the records of a row group in bytes. Decoded and
	// encoded they take several times that.
	leastRowGroup = 1 << 20
	mostRowGroup  = 64 << 20
	// fileRowGroupsPart is the part of what is resident, without programSize, that files under
	// way have for rows that wait for a row group: these are in memory up to four times, as
	// they are gathered, put together, collected by the sink and encoded.
	fileRowGroupsPart = 8
	// slicePart is the part of the memory for rows that all slices of blocks have.
	slicePart = 16

	// A spilled segment that is merged takes scratchBlocks of its blocks, as they are read
	// and as they are used.
	scratchBlocks = 2
	mergedPart    = 2
	leastMerged   = 2

	waitingRow     = 64  // bytes of a row that waits for a row group, beside its columns
	verdictSize    = 40  // bytes of a row that waits for its verdict
	indexEntrySize = 16  // bytes of an entry of the index
	probedSize     = 128 // bytes of an entry that is compared, in two hash tables
	rowsOfFile     = 2   // bytes that rows take in memory, for each of their files

	// carriedPart is the part of memory_limit that one thing may have which is in memory
	// as a whole: a block, a text, a manifest.
	carriedPart = 4
	// transfersPart is the part of memory_limit that parts of files have which are sent or
	// read ahead, of each.
	transfersPart  = 16
	leastReadAhead = 1 << 20
	// leastOfWorker is the least of memory_limit that a worker needs.
	leastOfWorker = 32 << 20
	// largeBlockPart is the part of the greatest block that all blocks have which are not
	// large.
	largeBlockPart  = 4
	leastLargeBlock = 256 << 10
)

// What does not grow any more with memory_limit.
const (
	mostCarried = 256 << 20
	// mostFileRowGroup decides where row groups end, and so about the bytes of files.
	mostFileRowGroup = 96 << 20
	mostIndexFilters = 16 << 20
	// No store takes smaller parts than leastPart.
	mostPart, leastPart = 8 << 20, 5 << 20
	mostParts           = 2
	// mostScratchRows and mostScratchBytes are small, as a merge holds as much of every
	// segment.
	mostScratchRows  = 16384
	mostScratchBytes = 60 << 10
)

// NewBudget is the budget of a command with a memory_limit in bytes.
func NewBudget(memoryLimit int64, workers int) Budget {
	b := RowBudget(int(float64(max(memoryLimit-programSize, leastForRows))*rowsShare), min(workers, max(int(memoryLimit/leastOfWorker), 1)))
	b.limit = memoryLimit
	return b
}

// RowBudget is a budget of so many bytes for rows alone, without a memory_limit.
func RowBudget(bytes, workers int) Budget { return Budget{bytes, workers, 0, new(sync.Mutex)} }

// part is what memory_limit divided by so much comes to, and no more than most.
func (b Budget) part(by int64, most int) int {
	if b.limit == 0 {
		return most
	}
	return int(min(b.limit/by, int64(most)))
}

// Rows is how many bytes rows may take in all.
func (b Budget) Rows() int { return b.rows }

// Workers is how many goroutines work on rows side by side.
func (b Budget) Workers() int { return b.workers }

// Block is how many bytes a block of a part file may have, as it is stored and as it is
// decompressed.
func (b Budget) Block() int { return b.part(carriedPart, mostCarried) }

// Text is how many bytes of text a value may make.
func (b Budget) Text() int { return b.part(carriedPart, mostCarried) }

// Manifest is how many bytes a manifest may have, as it is read whole. At most so many
// bytes of manifests are read side by side. What all of them list has an eighth of that in
// memory, and the rest in scratch_dir.
func (b Budget) Manifest() int64 { return int64(b.part(carriedPart, mostCarried)) }

// LargeBlock is from how many bytes on a block is large: one of these is in memory at a
// time, of all workers and tables.
func (b Budget) LargeBlock() int { return max(b.Block()/largeBlockPart/b.workers, leastLargeBlock) }

// LargeBlockTurn is held by whoever has a large block.
func (b Budget) LargeBlockTurn() sync.Locker { return b.turn }

// Slice is how many bytes of records of a block a worker decodes together.
func (b Budget) Slice() int { return max(b.rows/slicePart/b.workers, 1) }

// LimitFor is the memory_limit with which what has so many bytes can be carried, 0 if
// there is none.
func LimitFor(bytes int64) int64 {
	if bytes > mostCarried {
		return 0
	}
	const unit = 1 << 20
	return (bytes*carriedPart + unit - 1) / unit * unit
}

// Collecting is how many bytes of rows a worker collects for a segment: few enough that
// they are sorted fast, and so many that segments stay few.
func (b Budget) Collecting() int { return b.rows / workingPart / b.workers }

// Segments is how many bytes of sorted segments stay in memory.
func (b Budget) Segments() int { return b.rows / segmentsPart }

// ScratchRows is how many rows of a spilled segment are read at once.
func (b Budget) ScratchRows() int { return b.part(64<<10, mostScratchRows) }

// ScratchBytes is how many bytes of a spilled segment are read at once.
func (b Budget) ScratchBytes() int { return b.part(4<<10, mostScratchBytes) }

// Merged is how many spilled segments a worker merges at once.
func (b Budget) Merged() int {
	return max(b.rows/mergedPart/b.workers/(scratchBlocks*b.ScratchBytes()), leastMerged)
}

// Texts is how many bytes the texts that records share may take.
func (b Budget) Texts() int { return b.rows / textsPart }

// Rejected is how many bytes the rows without keys of a table may take.
func (b Budget) Rejected() int { return b.rows / textsPart }

// Verdicts is how many rows that wait for their verdict stay in memory.
func (b Budget) Verdicts() int { return b.rows / workingPart / verdictSize }

// RowGroup is how many bytes of records may wait for a row group.
func (b Budget) RowGroup() int {
	return min(max(b.rows/workingPart/b.workers, leastRowGroup), mostRowGroup)
}

// GroupRows is how many rows may wait for a row group, whatever their columns.
func (b Budget) GroupRows() int { return b.RowGroup() / waitingRow }

// FileRowGroup is how many bytes rows may take that wait, decoded, for a row group of a
// file, as those of small batches do, in all sinks together.
func (b Budget) FileRowGroup() int {
	if b.limit == 0 {
		return mostFileRowGroup
	}
	return min(int(Resident(b.limit)-programSize)/fileRowGroupsPart/b.workers, mostFileRowGroup)
}

// Encoders is how many columns of a file may be encoded at a time where so many files
// are written side by side.
func (b Budget) Encoders(files int) int { return b.workers / max(files, 1) }

// IndexEntries is how many entries of the index are sorted in memory.
func (b Budget) IndexEntries() int { return b.rows / workingPart / indexEntrySize }

// Transfers is how much is in memory of each file that is written to a remote store or read
// from it.
type Transfers struct {
	Part      int // bytes of a part that is filled or sent
	Parts     int // those that are sent at a time
	ReadAhead int // bytes that are read at once
}

// Transfers is the part of a file under way in a remote store.
func (b Budget) Transfers() Transfers {
	bytes := b.part(int64(transfersPart*b.workers), mostPart)
	t := Transfers{Part: max(bytes, leastPart), Parts: mostParts, ReadAhead: max(bytes, leastReadAhead)}
	if bytes < mostPart {
		t.Parts = 1
	}
	return t
}

// IndexFilters is up to how many bytes of filters of a run of the index stay in memory.
func (b Budget) IndexFilters() int { return b.part(64, mostIndexFilters) }

// MovedUsers is the part for the rows of raw users that stand for another one, beside a
// pass over all users.
func (b Budget) MovedUsers() Budget {
	return Budget{b.rows / movedUsersPart, b.workers, b.limit, b.turn}
}

// UsersDelta is the part for delivered users, and that for the members of their groups.
func (b Budget) UsersDelta() Budget {
	return Budget{b.rows / usersDeltaPart, b.workers, b.limit, b.turn}
}

// Prefetched is the part of one of the tables that are prefetched. All of them together
// have as much as the table whose turn it is.
func (b Budget) Prefetched() Budget { return Budget{b.rows / b.workers, 1, b.limit, b.turn} }

// Prefetches reports whether so many tables are prefetched beside the one whose turn it
// is: one for each worker, if all of these read and write no more than so many bytes of
// files. With more of them rows would mostly have to be spilled.
func (b Budget) Prefetches(tables int, bytes int64) bool {
	return tables <= b.workers && bytes*rowsOfFile <= int64(b.rows)
}

// Holds reports whether the segments of the rows of so many bytes of files stay in
// memory.
func (b Budget) Holds(bytes int64) bool { return bytes*rowsOfFile <= int64(b.Segments()) }
