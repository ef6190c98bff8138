package pass

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/sinks"
	"reconcile/sinks/parquet"
)

// plainReader hides that a file can be read by row groups.
type plainReader struct{ sinks.Reader }

// The shares of a file together are its rows, each once and in their order, in batches that
// keep within their bound.
func TestSharesOfStoredFile(t *testing.T) {
	const rows = 6000
	store, err := blob.NewLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lake := parquet.New(store, parquet.Options{RowGroup: 600})
	cols := []column.Column{{Name: "id", Type: column.Type{ID: column.Int64}}, {Name: "text", Type: column.StringType}}
	b := &column.Batch{N: rows, Cols: slices.Clone(cols)}
	for c := range b.Cols {
		b.Cols[c].Reset()
	}
	for i := range rows {
		b.Cols[0].AppendInt(int64(i))
		b.Cols[1].AppendBytes(fmt.Appendf(nil, "text number %d", i))
	}
	w, err := lake.Stage(t.Context(), "a", "part.parquet", sinks.FileSpec{Columns: cols})
	if err == nil {
		err = w.Write(t.Context(), b)
	}
	if err != nil {
		t.Fatal(err)
	}
	staged, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{false, true} {
		f := &StoredFile{path: staged.Path, open: func(ctx context.Context, want []column.Column) (sinks.Reader, error) {
			rd, err := lake.Open(ctx, staged.Path, "", want)
			if plain {
				rd = plainReader{rd}
			}
			return rd, err
		}}
		for of := 1; of <= 15; of++ {
			next, most := int64(0), 0
			for n := range of {
				err := f.EachOf(t.Context(), sinks.Share{N: n, Of: of}, 1<<10, cols, func(b *column.Batch) error {
					most = max(most, b.N)
					for i := range b.N {
						if id, text := b.Cols[0].Ints[i], string(b.Cols[1].Bytes(i)); id != next || text != fmt.Sprint("text number ", id) {
							return fmt.Errorf("row %d is %d, %s", next, id, text)
						}
						next++
					}
					return nil
				})
				if err != nil {
					t.Fatalf("share %d of %d: %v", n, of, err)
				}
			}
			if next != rows {
				t.Errorf("%d shares have %d of %d rows", of, next, rows)
			}
			if of > 1 && !plain && most > 256 {
				t.Errorf("%d shares: a batch has %d rows", of, most)
			}
		}
	}
}
