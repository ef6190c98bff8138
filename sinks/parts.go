package sinks

import (
	"context"

	"reconcile/internal/column"
)

// PartOf returns how many rows of a row group of so many are to be read together, so that
// their columns take about most bytes: all where the reader cannot read some.
func PartOf(rd GroupReader, group int, columns []column.Column, rows int, most int64) int {
	r, ok := rd.(RowReader)
	if !ok {
		return max(rows, 1)
	}
	return max(column.RowsWithin(rows, r.GroupBytes(group, columns), most), 1)
}

// ReadPart reads the rows of a row group of so many from one up to another, or its last.
func ReadPart(ctx context.Context, rd GroupReader, group int, columns []column.Column, rows, from, to int, into *column.Batch) error {
	if from == 0 && to >= rows {
		return rd.Group(ctx, group, columns, into)
	}
	list := make([]uint32, 0, min(to, rows)-from)
	for row := from; row < min(to, rows); row++ {
		list = append(list, uint32(row))
	}
	return rd.(RowReader).Rows(ctx, group, list, columns, into)
}
