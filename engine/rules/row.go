package rules

import (
	"cmp"
	"fmt"
	"math"
)

// NullPart is the partition of rows without a partition time.
const NullPart = math.MinInt64

// A version orders rows as they were delivered: by dump, then by the file's
// place in the manifest, then by the row's place in the file. It packs the
// three as 20, 16 and 28 bits; dumps are numbered by their rank among the dumps
// that a table has applied or is about to.
const (
	rowBits  = 28
	fileBits = 16
	dumpBits = 64 - fileBits - rowBits
)

// MaxFile and MaxRow are the greatest parts of a version: they come behind all rows of a
// dump.
const (
	MaxFile = 1<<fileBits - 1
	MaxRow  = 1<<rowBits - 1
)

// Version packs a version, or says which part of it is too large.
func Version(dump, file, row int) (uint64, error) {
	if dump >= 1<<dumpBits || file >= 1<<fileBits || row >= 1<<rowBits {
		return 0, fmt.Errorf("dump number %d, file %d, row %d: more than 2^%d dumps, 2^%d files of a table in a dump or 2^%d rows of a file are not supported",
			dump, file, row, dumpBits, fileBits, rowBits)
	}
	return uint64(dump)<<(fileBits+rowBits) | uint64(file)<<rowBits | uint64(row), nil
}

// IsLast reports whether a version is made of MaxFile and MaxRow.
func IsLast(v uint64) bool {
	const rest = 1<<(fileBits+rowBits) - 1
	return v&rest == rest
}

// DumpRank returns the dump's number in a version.
func DumpRank(v uint64) int { return int(v >> (fileBits + rowBits)) }

// Row is what the engine must know of a row to place and judge it. At is its
// place in the batch that holds its other columns, or, with Size, that of its
// record. Format tells how the record is to be read.
type Row struct {
	Part, Raw, Key   int64
	Ver              uint64
	At, Size, Format uint32
}

// CompareRows orders rows by (partition, raw user, key, version).
func CompareRows(a, b Row) int {
	if a.Part != b.Part {
		return cmp.Compare(a.Part, b.Part)
	}
	if a.Raw != b.Raw {
		return cmp.Compare(a.Raw, b.Raw)
	}
	if a.Key != b.Key {
		return cmp.Compare(a.Key, b.Key)
	}
	return cmp.Compare(a.Ver, b.Ver)
}
