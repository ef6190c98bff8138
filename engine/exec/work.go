package exec

import (
	"time"

	"reconcile/engine/rules"
	"reconcile/internal/feed"
)

// Work is measured in bytes of part files that are read. What takes longer or less long
// counts as more or fewer bytes, about as its processor time was measured. Where rows are so
// many bytes, these are as an Extent counts them.
const (
	workOfStored    = 3.5     // a byte of data files of which all rows are read
	workOfColumn    = 8 << 10 // a column of a file that is written, whatever it holds
	workOfCompared  = 0.3     // a byte of published files whose rows are compared with staged ones
	valueOfCompared = 4       // and each value
	publishedOfWork = 4       // bytes that are moved to their place and count as one
	splicedOfWork   = 3       // bytes of a file that is spliced and count as one, when they are read and in each sink
	probedOfWork    = 2       // bytes of part files whose users and keys are looked up in the index, and that count as one
	pickedOfWriting = 6       // the work of writing users that are delivered, for finding those that are merged
	workOfMerged    = 0.7     // a byte of part files whose rows are merged from scratch files into larger ones
	workOfJudged    = 5       // a row of events that is judged in memory
	workOfContested = 45      // and where the rows of a bucket do not fit there
	bytesOfEvent    = 200     // of part files, about
	workOfAlone     = 0.6     // what one goroutine writes while another one waits, as columns are encoded by all
	lookedOfWork    = 4       // bytes of files of which some rows are looked for, and that count as one
	workOfSecond    = 50e6    // a second in which a worker waits
	tripsOfFile     = 0.7     // round trips to a server for a file that is published, while others are, too
	tripsOfCommit   = 8       // and for what comes with a commit
)

// WorkOfReading is that of reading so many bytes of part files of a table of a kind.
func WorkOfReading(kind string, bytes int64) int64 {
	if kind == feed.KindUsers {
		return bytes * 4 / 5
	}
	return bytes
}

// WorkOfStored is that of reading all rows of so many bytes of data files.
func WorkOfStored(bytes int64) int64 { return int64(workOfStored * float64(bytes)) }

// WorkOfWriting is that of writing rows that become so many bytes of a data file in each of
// so many sinks: a quarter more than these for merging them, and as much for each sink.
func WorkOfWriting(bytes int64, sinks int) int64 { return bytes * 5 / 4 * int64(1+sinks) }

// WorkOfMerging is that of writing all rows that are delivered, and with them those that the
// table has.
func WorkOfMerging(delivered, stored Extent, b Budget, sinks int) int64 {
	writing := WorkOfWriting(stored.AsStored()+delivered.AsWritten(), sinks)
	if HoldsAll(b, delivered.Bytes, stored.Bytes) {
		return writing
	}
	return writing * spilledPercent(b, stored.Bytes > 0) / 100
}

// WorkOfMergingAgain is that of merging the rows of so many bytes of part files from scratch
// files into larger ones.
func WorkOfMergingAgain(bytes int64) int64 { return int64(workOfMerged * float64(bytes)) }

// WorkOfJudging is that of judging so many rows of events.
func WorkOfJudging(rows int64, b Budget) int64 {
	if rows/rules.Buckets > int64(b.Verdicts()/b.workers) {
		return rows * workOfContested
	}
	return rows * workOfJudged
}

// WorkOfSpilled is about the work between reading all rows that are delivered and that the
// table has, and writing them: judging them, and merging those that do not fit in memory until
// few enough scratch files are left.
func WorkOfSpilled(delivered, stored Extent, b Budget) int64 {
	all := DeliveredAs(delivered, stored)
	return WorkOfJudging(rowsOf(all), b) + WorkOfReducing(all, b)
}

// WorkOfReducing is about the work of merging the scratch files of rows of part files until few
// enough are left to be merged at once.
func WorkOfReducing(e Extent, b Budget) (work int64) {
	bytes, weight := e.Bytes, float64(e.AsDelivered())
	most := int64(b.Merged())
	for n := bytes * rowsOfFile / int64(max(b.Collecting(), 1)); n > most; {
		merges := (n - 2) / (most - 1)
		from := min(n-most+merges, n)
		work += WorkOfMergingAgain(int64(weight * float64(from) / float64(n)))
		n -= from - merges
	}
	return work
}

// HoldsAll reports whether all rows of part files and data files of so many bytes stay in
// memory.
func HoldsAll(b Budget, delivered, stored int64) bool {
	return b.Holds(delivered + deliveredOf(stored))
}

// DeliveredAs is about what rows would be in part files of which some are, and others are in
// data files.
func DeliveredAs(delivered, stored Extent) Extent {
	return Extent{Bytes: delivered.Bytes + deliveredOf(stored.Bytes), Rows: rowsOf(delivered) + rowsOf(stored.delivered()), Columns: max(delivered.Columns, stored.Columns)}
}

// delivered is about what rows of data files would be in part files.
func (e Extent) delivered() Extent {
	return Extent{Bytes: deliveredOf(e.Bytes), Rows: e.Rows, Columns: e.Columns}
}

// deliveredOf is about how many bytes of part files become so many of data files.
func deliveredOf(stored int64) int64 { return int64(float64(stored) / publishedPerDelivered) }

// rowsOf is how many rows part files have, about where that is not known.
func rowsOf(delivered Extent) int64 {
	if delivered.Rows == 0 {
		return delivered.Bytes / bytesOfEvent
	}
	return delivered.Rows
}

// spilledPercent is how much work it is to write rows that do not fit in memory, in percent
// of what it is where they do: they are merged from scratch files, in the more pieces the
// less memory there is. Rows that the table has were in columns, which is more work than with
// records as they were delivered.
func spilledPercent(b Budget, stored bool) int64 {
	switch {
	case !stored && b.limit < 128<<20:
		return 180
	case !stored && b.limit < 512<<20:
		return 135
	case !stored:
		return 100
	case b.limit < 128<<20:
		return 210
	case b.limit < 512<<20:
		return 185
	}
	return 160
}

// WorkOfLargest is what it is more to write partitions of so many rows in all, which are work,
// because goroutines that have nothing more to do wait for the largest one.
func WorkOfLargest(work, largest, all int64, b Budget) int64 {
	alone := float64(largest) * float64(b.workers) / float64(max(all, 1))
	return int64(workOfAlone * max(alone-1, 0) * float64(work))
}

// WorkOfFiles is what writing so many files of so many columns takes beside.
func WorkOfFiles(files, columns int) int64 { return int64(files) * int64(columns) * workOfColumn }

// WorkOfNewFiles is about the same of rows that become so many bytes of data files, while
// nobody knows of how many.
func WorkOfNewFiles(bytes int64) int64 { return bytes / 4 }

// WorkOfKept is that of looking through the latest rows of users that are kept in so many
// bytes.
func WorkOfKept(bytes int64) int64 { return bytes * 7 / 8 }

// WorkOfUsers is that of writing all users, whose latest rows were kept in so many bytes and
// are so again, beside what is published of them in so many sinks.
func WorkOfUsers(kept int64, delivered Extent, b Budget, sinks int) int64 {
	return workOfComing(delivered, b, sinks) + WorkOfWriting(kept, 1) + WorkOfWriting(kept, sinks)
}

// workOfComing is the part for those that are delivered.
func workOfComing(delivered Extent, b Budget, sinks int) int64 {
	come := delivered.AsWritten() * 3 / 2
	writing := WorkOfWriting(come, 1) + WorkOfWriting(come, sinks)
	if b.Holds(delivered.Bytes) {
		return writing
	}
	return writing * spilledPercent(b, false) / 100
}

// WorkOfPicking is what of the work of writing all users it is to look through those that
// are delivered for so many that are merged.
func WorkOfPicking(merged int, delivered Extent, b Budget, sinks int) int64 {
	if merged == 0 {
		return 0
	}
	return workOfComing(delivered, b, sinks) / pickedOfWriting
}

// WorkOfCopying is that of copying the rows of so many bytes of data files to another sink.
func WorkOfCopying(bytes int64) int64 { return bytes * 5 / 2 }

// WorkOfPublishing is that of making so many bytes of staged files visible.
func WorkOfPublishing(bytes int64) int64 { return bytes / publishedOfWork }

// WorkOfMoving is what publishing so many files is beside their bytes: a server answers each
// request after trip, and nothing else is done meanwhile.
func WorkOfMoving(files int64, trip time.Duration, b Budget) int64 {
	return workOfTrips(tripsOfFile*float64(files), trip, b)
}

// WorkOfCommit is the same of a commit, however many files it publishes.
func WorkOfCommit(trip time.Duration, b Budget) int64 { return workOfTrips(tripsOfCommit, trip, b) }

func workOfTrips(n float64, trip time.Duration, b Budget) int64 {
	return int64(n * trip.Seconds() * workOfSecond * float64(b.workers))
}

// WorkOfComparing is that of comparing published rows with staged ones.
func WorkOfComparing(e Extent) int64 {
	return int64(workOfCompared*float64(e.Bytes)) + valueOfCompared*e.Rows*int64(e.Columns)
}

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

// PublishedUsers is the same of users, which are texts, most of them unique.
func PublishedUsers(delivered int64) int64 { return PublishedOf(delivered) * 3 / 2 }
