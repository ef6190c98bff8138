package parquet

import (
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/format"
	"github.com/zeebo/xxh3"
)

// indexRegion is page indexes of a file as bytes.
type indexRegion struct {
	at   int64
	data []byte
}

// readIndexes reads the place that the footer entry names; of a wide file it only verifies
// the checksum.
func (f *File) readIndexes(entry string) (*indexRegion, error) {
	var at, size int64
	var sum uint64
	if _, err := fmt.Sscanf(entry, "%d,%d,%x", &at, &size, &sum); err != nil || at < 0 || size < 0 || at > f.end-size {
		return nil, fmt.Errorf("footer entry %s is %q", indexesKey, entry)
	}
	x := &indexRegion{at: at}
	var is uint64
	if f.wide {
		var h xxh3.Hasher
		if err := hashBetween(&h, f.r, at, at+size); err != nil {
			return nil, fmt.Errorf("page indexes: %w", err)
		}
		is = h.Sum64()
	} else {
		x.data = make([]byte, size)
		if err := readAt(f.r, x.data, at); err != nil {
			return nil, fmt.Errorf("page indexes: %w", err)
		}
		is = xxh3.Hash(x.data)
	}
	if is != sum {
		return nil, fmt.Errorf("page indexes: their checksum does not fit")
	}
	return x, nil
}

// indexesOf returns a region that has the column indexes of a row group.
func (f *File) indexesOf(g *readGroup) (*indexRegion, error) {
	x, err := f.indexes()
	if err != nil || !f.wide {
		return x, err
	}
	// Those of one row group stand together, in the order of the columns.
	first, _, err := f.indexPlace(g, 0, 1)
	if err != nil {
		return nil, err
	}
	_, end, err := f.indexPlace(g, len(f.cols)-1, -1)
	if err != nil {
		return nil, err
	}
	if first < x.at || end < first || end > f.end {
		return nil, errIndexPlace
	}
	x = &indexRegion{at: first, data: make([]byte, end-first)}
	return x, readAt(f.r, x.data, first)
}

// indexPlace returns where the first column index stands from a column on, in steps.
func (f *File) indexPlace(g *readGroup, from, step int) (at, end int64, err error) {
	for i := from; i >= 0 && i < len(f.cols); i += step {
		c, err := f.chunk(g, i)
		if err != nil {
			return 0, 0, err
		}
		if c.ColumnIndexLength > 0 {
			return c.ColumnIndexOffset, c.ColumnIndexOffset + int64(c.ColumnIndexLength), nil
		}
	}
	return f.end, f.end, nil
}

var errIndexPlace = errors.New("its column index is not where the indexes are")

// columnIndex returns the bytes of the column index of a chunk, nil if it has
// none.
func (x *indexRegion) columnIndex(cc *format.ColumnChunk) ([]byte, error) {
	n := int64(cc.ColumnIndexLength)
	if n == 0 {
		return nil, nil
	}
	at := cc.ColumnIndexOffset - x.at
	if n < 0 || at < 0 || at > int64(len(x.data))-n {
		return nil, errIndexPlace
	}
	return x.data[at : at+n], nil
}
