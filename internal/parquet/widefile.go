package parquet

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go/format"
	"github.com/zeebo/xxh3"
)

// The footer of a file with very many columns and row groups can be larger than what is in
// memory of its rows. Such a wide file keeps the place of each row group in its footer, and
// reads that again when the row group is used.

const (
	// wideFooter is from how many bytes on a footer is not held whole.
	wideFooter = 1 << 20
	// footerWindow is how much of it is read at once: more than what is behind its row
	// groups, with the checksum.
	footerWindow = 1 << 20

	// The numbers of the lists of row groups in a footer, and of columns in a row group.
	groupsField, columnsField = 4, 1
)

// encodedGroup is a row group as it stands in the footer of a wide file.
type encodedGroup struct {
	at   int64
	size int
	sum  uint64
	// data is the structure, and chunks where those of the columns begin in it; nil while
	// it is not in use.
	data   []byte
	chunks []uint32
}

// openWide reads a footer that ends at a place.
func (f *File) openWide(end int64) error {
	var err error
	if f.ours, err = checkSumBetween(f.r, f.end, end); err != nil {
		return err
	}
	w := window{r: f.r, at: f.end, end: end}
	n, at := 0, 0
	head, err := w.take(func(t *thriftWalk) (err error) { n, at, err = t.upToList(groupsField); return err })
	if err != nil {
		return err
	}
	whole := append(bytes.Clone(head[:at]), emptyListField[1])
	var found []foundGroup
	for range n {
		g := foundGroup{encodedGroup: encodedGroup{at: w.at}}
		b, err := w.take(func(t *thriftWalk) error { return t.structure(1) })
		if err == nil {
			err = g.read(b)
		}
		if err != nil {
			return err
		}
		g.data, g.chunks = nil, nil
		found = append(found, g)
	}
	tail, err := w.take(func(t *thriftWalk) error { return t.structure(0) })
	if err != nil {
		return err
	}
	var meta format.FileMetaData
	if _, err = decodeThrift(append(whole, tail...), &meta); err == nil {
		err = f.take(&meta)
	}
	if err != nil {
		return err
	}
	for i := range found {
		if err := f.takeGroup(found[i].rows, found[i].columns); err != nil {
			return err
		}
		f.groups[i].encoded = &found[i].encodedGroup
	}
	return f.checkRows()
}

// foundGroup is a row group of which it is not known yet whether it is right.
type foundGroup struct {
	encodedGroup
	rows    int64
	columns int
}

// read takes the structure of a row group.
func (g *foundGroup) read(b []byte) error {
	w := thriftWalk{b: b}
	n, head, err := w.upToList(columnsField)
	if err != nil {
		return err
	}
	g.size, g.sum, g.data, g.columns = len(b), xxh3.Hash(b), b, n
	g.chunks = make([]uint32, n)
	for i := range g.chunks {
		g.chunks[i] = uint32(w.at)
		if err := w.structure(1); err != nil {
			return err
		}
	}
	var rest format.RowGroup
	_, err = decodeThrift(slices.Concat(b[:head], emptyListField[1:], b[w.at:]), &rest)
	g.rows = rest.NumRows
	return err
}

// group returns what the footer says of a row group, whose columns chunk gives.
func (f *File) group(number int) (*readGroup, error) {
	g := &f.groups[number]
	if !f.wide {
		return g, nil
	}
	if h := f.held.Load(); h != nil && h.number == number {
		return h, nil
	}
	data := make([]byte, g.encoded.size)
	if err := readAt(f.r, data, g.encoded.at); err != nil {
		return nil, fmt.Errorf("reading the Parquet footer: %w", err)
	}
	found := foundGroup{encodedGroup: encodedGroup{at: g.encoded.at}}
	if err := found.read(data); err != nil || found.sum != g.encoded.sum {
		return nil, fmt.Errorf("reading the Parquet footer: row group %d is not what it was", number)
	}
	h := &readGroup{number: number, rows: g.rows, encoded: &found.encodedGroup}
	f.held.Store(h)
	return h, nil
}

// chunk returns what the footer says of a column of a row group.
func (f *File) chunk(g *readGroup, i int) (*format.ColumnChunk, error) {
	if !f.wide {
		return &g.columns[i], nil
	}
	c := &format.ColumnChunk{}
	_, err := decodeThrift(g.encoded.data[g.encoded.chunks[i]:], c)
	if err == nil {
		err = f.checkChunk(c, g, i)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the Parquet footer: %w", err)
	}
	return c, nil
}

func (f *File) chunkOf(group, i int) (*format.ColumnChunk, error) {
	g, err := f.group(group)
	if err != nil {
		return nil, err
	}
	return f.chunk(g, i)
}

// checkSumBetween is checkSum of a footer that stands between two places.
func checkSumBetween(r io.ReaderAt, at, end int64) (bool, error) {
	tail := make([]byte, min(footerWindow, end-at))
	if err := readAt(r, tail, end-int64(len(tail))); err != nil {
		return false, err
	}
	place := sumPlace(tail)
	if place < 0 {
		return false, nil
	}
	var h xxh3.Hasher
	if err := hashBetween(&h, r, at, end-int64(len(tail))); err != nil {
		return true, err
	}
	return true, finishSum(&h, tail, place)
}

// hashBetween adds what stands between two places to a hash.
func hashBetween(h *xxh3.Hasher, r io.ReaderAt, at, end int64) error {
	b := make([]byte, min(footerWindow, end-at))
	for at < end {
		b = b[:min(int64(len(b)), end-at)]
		if err := readAt(r, b, at); err != nil {
			return err
		}
		_, _ = h.Write(b)
		at += int64(len(b))
	}
	return nil
}

// window is a part of the footer.
type window struct {
	r       io.ReaderAt
	at, end int64  // where it begins, and where the footer ends
	b       []byte // of buf
	buf     []byte
}

// take passes over what walk steps over, for which there is as much of the footer as it
// needs. What it returns is valid up to the next call.
func (w *window) take(walk func(*thriftWalk) error) ([]byte, error) {
	for {
		t := thriftWalk{b: w.b}
		err := walk(&t)
		if err == nil {
			b := w.b[:t.at]
			w.at, w.b = w.at+int64(t.at), w.b[t.at:]
			return b, nil
		}
		if w.at+int64(len(w.b)) >= w.end {
			return nil, err
		}
		if err := w.grow(); err != nil {
			return nil, err
		}
	}
}

// grow reads on, so that there is twice as much at least.
func (w *window) grow() error {
	have := len(w.b)
	size := min(int64(max(2*have, footerWindow)), w.end-w.at)
	if size > int64(len(w.buf)) {
		b := make([]byte, size)
		copy(b, w.b)
		w.buf = b
	} else {
		copy(w.buf, w.b)
	}
	w.b = w.buf[:size]
	return readAt(w.r, w.b[have:], w.at+int64(have))
}
