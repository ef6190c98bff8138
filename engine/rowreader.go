package engine

import (
	"cmp"
	"context"

	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// rowAt is the place of a row in the order of its file.
type rowAt struct{ user, key int64 }

func (a rowAt) compare(b rowAt) int {
	return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.key, b.key))
}

// rowReader goes through the rows of a data file one by one. Rows of a partition are in
// the order of raw user and key, those of the other tables of their first column.
type rowReader struct {
	rd        sinks.Reader
	user, key int // columns of the order
	batch     *column.Batch
	next      int
	rows      int64 // passed
	first     rowAt
	last      rowAt
}

func newRowReader(s *rules.Schema, rd sinks.Reader) *rowReader {
	out := &rowReader{rd: rd}
	if s.Kind == feed.KindEvents {
		l := s.Published()
		out.user, out.key = l.RawUser, l.Key
	}
	return out
}

// more reports whether there is a row.
func (r *rowReader) more(ctx context.Context) (bool, error) {
	for r.batch == nil || r.next >= r.batch.N {
		b, err := r.rd.Next(ctx)
		if err != nil || b == nil {
			return false, err
		}
		r.batch, r.next = b, 0
	}
	return true, nil
}

// at is the place of the row.
func (r *rowReader) at() rowAt {
	value := func(c int) int64 {
		col := &r.batch.Cols[c]
		if col.IsNull(r.next) {
			return 0
		}
		return col.Ints[r.next]
	}
	return rowAt{value(r.user), value(r.key)}
}

// pass goes on to the next row, and reports whether the order was kept.
func (r *rowReader) pass() bool {
	at := r.at()
	if r.rows == 0 {
		r.first = at
	} else if at.compare(r.last) < 0 {
		return false
	}
	r.last = at
	r.rows++
	r.next++
	return true
}

// equals reports whether the row of another file is equal in every column.
func (r *rowReader) equals(o *rowReader) bool {
	for c := range r.batch.Cols {
		a, b := &r.batch.Cols[c], &o.batch.Cols[c]
		switch an, bn := a.IsNull(r.next), b.IsNull(o.next); {
		case an != bn:
			return false
		case !an && column.CompareValues(a, r.next, b, o.next) != 0:
			return false
		}
	}
	return true
}

func (r *rowReader) close() error {
	if r == nil || r.rd == nil {
		return nil
	}
	return r.rd.Close()
}
