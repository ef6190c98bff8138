package rowfile

import (
	"cmp"
	"context"

	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// rowAt is the place of a row in the order of its file.
type rowAt struct{ User, key int64 }

// Compare orders places as rows are in their file.
func (a rowAt) Compare(b rowAt) int {
	return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.key, b.key))
}

// Reader goes through the rows of a data file one by one. Rows of a partition are in
// the order of raw user and key, those of the other tables of their first column.
type Reader struct {
	rd        sinks.Reader
	user, key int // columns of the order
	Batch     *column.Batch
	Next      int
	Rows      int64 // passed
	First     rowAt
	Last      rowAt
}

// NewReader reads the rows of a data file of a table, asked for with all of its columns.
func NewReader(s *rules.Schema, rd sinks.Reader) *Reader {
	out := &Reader{rd: rd}
	if s.Kind == feed.KindEvents {
		l := s.Published()
		out.user, out.key = l.RawUser, l.Key
	}
	return out
}

// More reports whether there is a row.
func (r *Reader) More(ctx context.Context) (bool, error) {
	for r.Batch == nil || r.Next >= r.Batch.N {
		b, err := r.rd.Next(ctx)
		if err != nil || b == nil {
			return false, err
		}
		r.Batch, r.Next = b, 0
	}
	return true, nil
}

// At is the place of the row.
func (r *Reader) At() rowAt {
	value := func(c int) int64 {
		col := &r.Batch.Cols[c]
		if col.IsNull(r.Next) {
			return 0
		}
		return col.Ints[r.Next]
	}
	return rowAt{value(r.user), value(r.key)}
}

// Pass goes on to the next row, and reports whether the order was kept.
func (r *Reader) Pass() bool {
	at := r.At()
	if r.Rows == 0 {
		r.First = at
	} else if at.Compare(r.Last) < 0 {
		return false
	}
	r.Last = at
	r.Rows++
	r.Next++
	return true
}

// Equals reports whether the row of another file is equal in every column.
func (r *Reader) Equals(o *Reader) bool {
	for c := range r.Batch.Cols {
		a, b := &r.Batch.Cols[c], &o.Batch.Cols[c]
		switch an, bn := a.IsNull(r.Next), b.IsNull(o.Next); {
		case an != bn:
			return false
		case !an && column.CompareValues(a, r.Next, b, o.Next) != 0:
			return false
		}
	}
	return true
}

// Close closes the file. A nil Reader has none.
func (r *Reader) Close() error {
	if r == nil || r.rd == nil {
		return nil
	}
	return r.rd.Close()
}

// Has reports whether a file, which is in the order of its first column, has a row of
// another one, asked for in that order.
func (r *Reader) Has(ctx context.Context, o *Reader) (bool, error) {
	if r.rd == nil {
		return false, nil
	}
	for {
		more, err := r.More(ctx)
		if err != nil || !more {
			return false, err
		}
		switch c := r.At().Compare(o.At()); {
		case c > 0:
			return false, nil
		case c == 0:
			return r.Equals(o), nil
		}
		r.Next++
	}
}
