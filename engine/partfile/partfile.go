// Package partfile knows part files as a source has them: their headers, what the names in
// a manifest mean in them, digests of their bytes, and why one cannot be used. It never
// decodes a row.
package partfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"reconcile/engine/avro"
	"reconcile/engine/exec"
	"reconcile/internal/amount"
	"reconcile/internal/blob"
)

// Opener opens part files by their keys. The caller closes them.
type Opener interface {
	Open(ctx context.Context, key string) (blob.Handle, error)
}

// readAhead is how much of a part file is read at once; a task reads one at a time.
const readAhead = 1 << 20

// Limits are those of the blocks of part files under a budget.
func Limits(b exec.Budget) avro.Limits {
	return avro.Limits{Block: b.Block(), Text: b.Text(), Slice: b.Slice(), Large: b.LargeBlock(), Turn: b.LargeBlockTurn(), Advice: advice}
}

// advice says with which memory_limit what has so many bytes would be taken.
func advice(size int) string {
	text := "a quarter of memory_limit"
	switch limit := exec.LimitFor(int64(size)); {
	case size == 0:
		return text + "; a greater one may do"
	case limit == 0:
		return fmt.Sprintf("%s, and never more than %s", text, amount.Number(avro.MostSize))
	default:
		return fmt.Sprintf("%s; memory_limit = \"%dMiB\" would do", text, limit>>20)
	}
}

// Reader reads a part file from its start to its end, so many pieces ahead of what is asked
// for.
func Reader(h blob.Handle, ahead int) io.Reader {
	h.ReadAhead(ahead)
	return io.NewSectionReader(h, 0, h.Object().Size)
}

// NewScanner reads an Avro file of a size, whose blocks keep to limits.
func NewScanner(r io.Reader, size int64, limits avro.Limits) (*avro.Scanner, error) {
	return avro.NewScanner(bufio.NewReaderSize(r, int(min(size, readAhead))), size, limits)
}

// EachBlock hands on the blocks of a file, one at a time and to its end. A block is good
// until the next one comes.
func EachBlock(ctx context.Context, sc *avro.Scanner, use func(*avro.Block) error) error {
	var blk avro.Block
	defer blk.Free()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		blk.Free()
		if ok, err := sc.Next(&blk); err != nil || !ok {
			return err
		}
		if err := use(&blk); err != nil {
			return err
		}
	}
}

// Header reads the header of a part file.
func Header(ctx context.Context, src Opener, key string) (*avro.Header, error) {
	h, err := src.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	size := h.Object().Size
	sc, err := avro.NewScanner(io.NewSectionReader(h, 0, size), size, avro.Limits{}) // no block is read, so nothing ahead
	if err != nil {
		return nil, err
	}
	return sc.Header(), nil
}

// Sample returns how many rows the first block of a part file has, in how many bytes, and how
// many fields. It reads no block.
func Sample(ctx context.Context, src Opener, key string) (rows, bytes int64, fields int, err error) {
	h, err := src.Open(ctx, key)
	if err != nil {
		return 0, 0, 0, err
	}
	defer h.Close()
	size := h.Object().Size
	sc, err := avro.NewScanner(io.NewSectionReader(h, 0, size), size, avro.Limits{})
	if err != nil {
		return 0, 0, 0, err
	}
	rows, bytes, ok := sc.Peek()
	if !ok {
		return 0, 0, 0, errors.New("it has no rows")
	}
	return rows, bytes, len(sc.Header().Fields()), nil
}

// FieldNames lists the fields of a file.
func FieldNames(h *avro.Header) []string {
	var out []string
	for _, f := range h.Fields() {
		out = append(out, f.Name)
	}
	return out
}

// FrozenReason says why a column holds a table that is frozen to its columns.
func FrozenReason(column string) string {
	return fmt.Sprintf("column %s is delivered, but the table is frozen to its columns = [...]; add it there, or set on_schema_change", column)
}
