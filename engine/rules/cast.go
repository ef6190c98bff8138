package rules

import (
	"slices"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Origins says of values that travel as texts what they were where that is not what they
// look like. A nil function says it of no row.
type Origins struct {
	// NoID: it was delivered as something that is no id, as a double.
	NoID func(row int) bool
	// Zero: it was a raw 0 of a logical type, which stands for no time.
	Zero func(row int) bool
}

// KeyColumn is a column of ids: user_id, the key of a table, or an id of the mapping.
func KeyColumn(name string) Column {
	return Column{Name: name, Delivered: name, ID: name, Type: typeInt64, Rule: column.Rule{Type: typeInt64}}
}

// timeColumn is one of the timestamps of the contract, whose plain numbers count a unit
// of time.
func timeColumn(name string, unit column.TimeUnit) Column {
	rule := column.Rule{Type: typeTimestamp, Event: true, Unit: unit}
	return Column{Name: name, Delivered: name, ID: name, Type: typeTimestamp, Rule: rule}
}

// Cast appends the values of src to dst as values of the column, whatever they come from:
// part files, files of the mapping or kept rows of users. It reports what did not cast,
// which is null in dst. dst shares no memory with src.
//
// The contract: ids are integers and decimal texts only; a raw 0 of a logical type is no
// time in the timestamps; what a mask left is text and always casts.
func (c *Column) Cast(src, dst *column.Column, from Origins) column.CastResult {
	base := dst.Len()
	switch {
	case c.Mask != definition.MaskNone:
		column.Cast(src, typeString, dst)
		return column.CastResult{}
	case feed.IsID(c.ID):
		return column.CastResult{Fails: castIDs(src, dst, base, from.NoID)}
	}
	res := c.Rule.Cast(src, dst)
	if c.DropZeros(dst, base, from) {
		res.Fails = slices.DeleteFunc(res.Fails, func(f column.Fail) bool { return from.Zero(f.Row) })
	}
	return res
}

// DropZeros makes null which of the values from base on stand for no time, cast or as
// users are kept. It reports whether any can.
func (c *Column) DropZeros(dst *column.Column, base int, from Origins) bool {
	if from.Zero == nil || !feed.IsTimestamp(c.ID) {
		return false
	}
	for row := range dst.Len() - base {
		if from.Zero(row) {
			dst.SetNull(base + row)
		}
	}
	return true
}

// castIDs casts ids. What was delivered as something else is none, though its text may
// look like one.
func castIDs(src, dst *column.Column, base int, noID func(row int) bool) []column.Fail {
	fails := column.Cast(src, typeInt64, dst)
	if noID == nil {
		return fails
	}
	for row := range src.Len() {
		if !dst.IsNull(base+row) && noID(row) {
			fails = append(fails, column.Fail{Row: row, Text: column.AppendText(nil, src, row)})
			dst.SetNull(base + row)
		}
	}
	return fails
}
