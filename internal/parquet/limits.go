package parquet

// Limits of what is written and, so that damaged counts cannot ask for endless
// memory, of what is read.
const (
	maxColumns    = 1 << 15
	maxGroups     = 1<<15 - 1 // the ordinal of a row group has 16 bits
	maxGroupRows  = 1 << 24
	maxPageBytes  = 1<<31 - 1
	maxValueBytes = 1 << 30
	maxDictBytes  = 16 << 20 // of a dictionary page written
	maxHeader     = 1 << 16  // of a page header read
)

// Defaults of the writer.
const (
	defaultPageRows = 20000
	pageBytes       = 1 << 20 // a page of text is cut when it gets larger
)
