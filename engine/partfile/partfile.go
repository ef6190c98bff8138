// Package partfile knows part files as a source has them: their headers, what the names in
// a manifest mean in them, digests of their bytes, and why one cannot be used. It never
// decodes a row.
package partfile

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"reconcile/engine/avro"
	"reconcile/engine/exec"
	"reconcile/internal/blob"
)

// Opener opens part files by their keys. The caller closes them.
type Opener interface {
	Open(ctx context.Context, key string) (blob.Handle, error)
}

// readAhead is how much of a part file is read at once; a task reads one at a time.
const readAhead = 1 << 20

// Limits are those of the blocks of part files under a budget.
func Limits(b exec.Budget) avro.Limits { return avro.Limits{Block: b.Block(), Text: b.BlockText()} }

// NewScanner reads an Avro file of a size, whose blocks have up to so many bytes.
func NewScanner(r io.Reader, size int64, block int) (*avro.Scanner, error) {
	return avro.NewScanner(bufio.NewReaderSize(r, readAhead), size, block)
}

// EachBlock hands on the blocks of a file, one at a time and to its end. A block is good
// until the next one comes.
func EachBlock(ctx context.Context, sc *avro.Scanner, use func(*avro.Block) error) error {
	var blk avro.Block
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
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
	sc, err := avro.NewScanner(io.NewSectionReader(h, 0, size), size, 0) // no block is read, so nothing ahead
	if err != nil {
		return nil, err
	}
	return sc.Header(), nil
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
