package rules

import (
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Conversion turns a column that stored rows have into one of a schema.
type Conversion struct {
	From *column.Column // name and type in the old files; nil when it is new
	Cast bool           // to the column's type
	HMAC bool           // it is masked now, and was not
	Void bool           // masked away: all null
}

// Conversions plans how rows of a table's old columns become rows of s, one for each
// column of the payload.
func (s *Schema) Conversions(old []Column) []Conversion {
	have := s.Known(old)
	out := make([]Conversion, len(s.Payload))
	for i, c := range s.Payload[:s.Rescued()] {
		was, ok := have[c.ID]
		if !ok {
			continue
		}
		out[i] = Conversion{From: &column.Column{Name: was.Name, Type: was.Type}, Cast: was.Type != c.Type}
		if c.Mask != was.Mask {
			out[i].Void, out[i].HMAC = c.Mask == definition.MaskNull, c.Mask == definition.MaskHMAC
		}
	}
	out[s.Rescued()] = Conversion{From: &column.Column{Name: feed.RescuedData}}
	return out
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
