package lake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"
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

// sum hashes every row over the given columns, and adds the hashes up, several
// files at a time.
func (s *fileSet) sum(cols []string) (total, error) {
	var rows atomic.Int64
	var hash atomic.Uint64
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range s.names {
		g.Go(func() error {
			return s.open(name, func(f *parquet.File) error {
				for _, group := range f.RowGroups() {
					hashes, err := hashRows(f, group, cols)
					if err != nil {
						return err
					}
					rows.Add(int64(len(hashes)))
					for _, h := range hashes {
						hash.Add(h)
					}
				}
				return nil
			})
		})
	}
	err := g.Wait()
	return total{rows.Load(), hash.Load()}, err
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
		c := column{seed: seed, toMillis: divisor(leaf.Node)}
		if err := c.hash(chunks[leaf.ColumnIndex], out); err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
	}
	return out, nil
}

// column says how the values of a column are hashed.
type column struct {
	seed     uint64
	toMillis int64 // what timestamps are divided by, 0 for other values
	buf      []byte
}

// divisor returns what makes a column's values milliseconds, 0 if it holds no
// timestamps.
func divisor(n parquet.Node) int64 {
	l := n.Type().LogicalType()
	if l == nil {
		return 0
	}
	t, ok := l.Value.(*format.TimestampType)
	if !ok {
		return 0
	}
	switch t.Unit.Value.(type) {
	case *format.NanoSeconds:
		return 1_000_000
	case *format.MicroSeconds:
		return 1_000
	}
	return 1
}

func (c *column) hash(chunk parquet.ColumnChunk, out []uint64) error {
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
				out[row] = add(out[row], c.seed, c.bytes(v))
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

// bytes returns what stands for a value until the next call, nil for null.
func (c *column) bytes(v parquet.Value) []byte {
	switch v.Kind() {
	case parquet.Int64, parquet.Int32:
		n := v.Int64()
		switch {
		case c.toMillis > 1 && n%c.toMillis != 0:
			return append(c.buf[:0], "finer than a millisecond"...)
		case c.toMillis > 1:
			n /= c.toMillis
		}
		c.buf = binary.LittleEndian.AppendUint64(c.buf[:0], uint64(n))
	case parquet.ByteArray, parquet.FixedLenByteArray:
		c.buf = append(append(c.buf[:0], 1), v.ByteArray()...)
	default:
		if v.IsNull() {
			return nil
		}
		c.buf = append(append(c.buf[:0], 2), v.String()...)
	}
	return c.buf
}
