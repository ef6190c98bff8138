package exec

// Extent is how much data some rows are.
type Extent struct {
	// Bytes is the size of the part files or data files that they are in.
	Bytes int64
	// Rows is how many they are, 0 where that is not known.
	Rows int64
	// Columns is how many columns they have.
	Columns int
}

// Rows and values take time of their own, so that a byte of narrow rows is much more work
// than one of long texts. The weights are such that bytes of usual page views, about 200 with
// 35 columns, count once.
const (
	deliveredByte, deliveredRow, deliveredValue = 0.2, 50, 3
	storedByte, storedRow, storedValue          = 0.3, 16, 0.5
)

// AsDelivered is the bytes that part files of so many rows count as.
func (e Extent) AsDelivered() int64 { return e.weigh(deliveredByte, deliveredRow, deliveredValue) }

// AsStored is the bytes that data files of so many rows count as.
func (e Extent) AsStored() int64 { return e.weigh(storedByte, storedRow, storedValue) }

// AsWritten is the bytes of data files that rows of part files count as when they are written.
func (e Extent) AsWritten() int64 {
	return Extent{Bytes: PublishedOf(e.Bytes), Rows: e.Rows, Columns: e.Columns}.AsStored()
}

func (e Extent) weigh(byByte, byRow, byValue float64) int64 {
	if e.Rows == 0 {
		return e.Bytes
	}
	return int64(byByte*float64(e.Bytes) + (byRow+byValue*float64(e.Columns))*float64(e.Rows))
}

// Part is one of so many equal parts of it.
func (e Extent) Part(of int) Extent {
	return Extent{Bytes: e.Bytes / int64(of), Rows: e.Rows / int64(of), Columns: e.Columns}
}
