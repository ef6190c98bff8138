package rules

import (
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Conversion turns a column that stored rows have into one of a schema.
type Conversion struct {
	At   int  // where the old column is read; -1 when it is new
	Cast bool // to the column's type
	HMAC bool // it is masked now, and was not
	Void bool // masked away: all null
}

// Conversions plans how rows of a table's old columns become rows of s, one for each
// column of the payload without _rescued_data. The layout says what is read of the rows,
// whose key has the name that is given.
func (s *Schema) Conversions(old []Column, key string) ([]Conversion, *Layout) {
	have := s.Known(old)
	l := noColumns()
	l.Key, l.RawUser, l.Dump = l.addColumn(key, typeInt64), l.addColumn(feed.RawUserID, typeInt64), l.addColumn(feed.DumpID, typeInt64)
	out := make([]Conversion, s.Rescued())
	for i, c := range s.Payload[:s.Rescued()] {
		was, ok := have[c.ID]
		if !ok {
			out[i].At = -1
			continue
		}
		out[i] = Conversion{At: l.addColumn(was.Name, was.Type), Cast: was.Type != c.Type}
		if c.Mask != was.Mask {
			out[i].Void, out[i].HMAC = c.Mask == definition.MaskNull, c.Mask == definition.MaskHMAC
		}
	}
	l.Rescued = l.addColumn(feed.RescuedData, typeString)
	return out, l
}

// Known returns the columns that stored rows have, without those that a mask left out,
// by the ID that the configuration gives them.
func (s *Schema) Known(old []Column) map[string]Column {
	have := map[string]Column{}
	for _, c := range old {
		if c.Mask != definition.MaskDrop {
			have[s.Table.ID(AskedName(s.Table, s.Legacy, c.Delivered, c.Name))] = c
		}
	}
	return have
}
