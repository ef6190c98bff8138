package lake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/zeebo/xxh3"
)

// fileSet is the Parquet files of a table.
type fileSet struct {
	names   []string
	columns map[string]bool // that any of them has
}

func findFiles(root string) (*fileSet, error) {
	s := &fileSet{columns: map[string]bool{}}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".parquet") {
			return err
		}
		s.names = append(s.names, name)
		return s.open(name, func(f *parquet.File) error {
			for _, c := range f.Root().Columns() {
				s.columns[c.Name()] = true
			}
			return nil
		})
	})
	if err == nil && len(s.names) == 0 {
		err = fmt.Errorf("no Parquet files in %s", root)
	}
	return s, err
}

func (s *fileSet) open(name string, use func(*parquet.File) error) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	pf, err := parquet.OpenFile(f, st.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := use(pf); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// total is what the rows of a table come to.
type total struct {
	rows int64
	hash uint64
}

// sum hashes every row over the given columns, and adds the hashes up.
func (s *fileSet) sum(cols []string) (total, error) {
	var t total
	for _, name := range s.names {
		err := s.open(name, func(f *parquet.File) error {
			for _, g := range f.RowGroups() {
				hashes, err := hashRows(f, g, cols)
				if err != nil {
					return err
				}
				t.rows += int64(len(hashes))
				for _, h := range hashes {
					t.hash += h
				}
			}
			return nil
		})
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

// hashRows returns a hash for each row of a group. A column that the file lacks
// counts as null.
func hashRows(f *parquet.File, g parquet.RowGroup, cols []string) ([]uint64, error) {
	out := make([]uint64, g.NumRows())
	chunks := g.ColumnChunks()
	for i, name := range cols {
		seed := uint64(i+1) * 0x9e3779b97f4a7c15
		leaf, ok := f.Schema().Lookup(name)
		if !ok {
			for row := range out {
				out[row] = add(out[row], seed, nil)
			}
			continue
		}
		if err := hashColumn(chunks[leaf.ColumnIndex], out, seed); err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
	}
	return out, nil
}

func hashColumn(chunk parquet.ColumnChunk, out []uint64, seed uint64) error {
	pages := chunk.Pages()
	defer pages.Close()
	buf := make([]parquet.Value, 1024)
	row := 0
	for {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		values := p.Values()
		for {
			n, err := values.ReadValues(buf)
			for _, v := range buf[:n] {
				if row == len(out) {
					return errors.New("it has more values than rows")
				}
				out[row] = add(out[row], seed, bytesOf(v))
				row++
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		parquet.Release(p)
	}
	if row != len(out) {
		return fmt.Errorf("it has %d values in %d rows", row, len(out))
	}
	return nil
}

// add takes one more value into the hash of a row; nil is null.
func add(h, seed uint64, v []byte) uint64 {
	if v == nil {
		return xxh3.HashSeed([]byte{0}, h^seed)
	}
	return xxh3.HashSeed(v, h+seed)
}

func bytesOf(v parquet.Value) []byte {
	switch v.Kind() {
	case parquet.Int64, parquet.Int32:
		return binary.LittleEndian.AppendUint64(nil, uint64(v.Int64()))
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return append([]byte{1}, v.ByteArray()...)
	}
	if v.IsNull() {
		return nil
	}
	return append([]byte{2}, v.String()...)
}
