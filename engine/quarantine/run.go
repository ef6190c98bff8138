package quarantine

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/s2"
)

// source returns rows in their order, one a call, and nil behind the last. A row is good
// until the next call.
type source func() (*Row, error)

func sliceOf(rows []Row) source {
	return func() (*Row, error) {
		if len(rows) == 0 {
			return nil, nil
		}
		r := &rows[0]
		rows = rows[1:]
		return r, nil
	}
}

// merged returns the rows of runs and of others in their order.
func merged(ctx context.Context, runs []run, others ...source) (source, error) {
	sources := others
	for _, r := range runs {
		next, err := readRun(r.file)
		if err != nil {
			return nil, err
		}
		sources = append(sources, next)
	}
	heads := make([]*Row, len(sources))
	last := -1 // whose head was handed out
	fill := func(i int) (err error) {
		heads[i], err = sources[i]()
		return err
	}
	for i := range sources {
		if err := fill(i); err != nil {
			return nil, err
		}
	}
	return func() (*Row, error) {
		if last >= 0 {
			if err := fill(last); err != nil {
				return nil, err
			}
		}
		last = -1
		for i, r := range heads {
			if r != nil && (last < 0 || compareRows(*r, *heads[last]) < 0) {
				last = i
			}
		}
		if last < 0 {
			return nil, ctx.Err()
		}
		return heads[last], ctx.Err()
	}, nil
}

// runBlock is how much of a run is compressed, and so read, at once.
const runBlock = 64 << 10

// writeRun writes rows to a file: of each the dump and the row as varints, then its
// file, reason and data behind their lengths.
func writeRun(f *os.File, next source) error {
	z := s2.NewWriter(f, s2.WriterConcurrency(1), s2.WriterBlockSize(runBlock))
	var buf []byte
	for {
		r, err := next()
		if err != nil {
			return errors.Join(err, z.Close())
		}
		if r == nil {
			return spilling(f, z.Close())
		}
		buf = binary.AppendVarint(binary.AppendVarint(buf[:0], r.Dump), r.Row)
		for _, text := range []string{r.File, r.Reason, r.Data} {
			buf = append(binary.AppendUvarint(buf, uint64(len(text))), text...)
		}
		if _, err := z.Write(buf); err != nil {
			return spilling(f, errors.Join(err, z.Close()))
		}
	}
}

func spilling(f *os.File, err error) error {
	if err != nil {
		return fmt.Errorf("spilling rejected rows to the scratch folder (%s): %w", f.Name(), err)
	}
	return nil
}

// readRun returns the rows of a file that writeRun wrote.
func readRun(f *os.File) (source, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("reading spilled rows: %w", err)
	}
	in := bufio.NewReaderSize(s2.NewReader(io.NewSectionReader(f, 0, size), s2.ReaderMaxBlockSize(runBlock)), 4<<10)
	var row Row
	return func() (*Row, error) {
		_, err := in.Peek(1)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err == nil {
			err = readRow(in, &row)
		}
		if err != nil {
			return nil, fmt.Errorf("reading spilled rows from %s: %w", f.Name(), err)
		}
		return &row, nil
	}, nil
}

func readRow(in *bufio.Reader, r *Row) (err error) {
	for _, to := range []*int64{&r.Dump, &r.Row} {
		if *to, err = binary.ReadVarint(in); err != nil {
			return err
		}
	}
	for _, to := range []*string{&r.File, &r.Reason, &r.Data} {
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return err
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			return err
		}
		if *to != string(text) { // the texts of rows are much alike
			*to = string(text)
		}
	}
	return nil
}
