package checks

import (
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// columnOf is the published column that a check names; ok is false if the table has none.
func columnOf(s *rules.Schema, name string) (_ column.Column, ok bool) {
	switch {
	case name == feed.UserID:
		return column.Column{Name: s.UserName, Type: column.Int64Type}, true
	case name == s.Key && s.Kind == feed.KindEvents:
		return column.Column{Name: s.KeyName, Type: column.Int64Type}, true
	}
	for _, c := range s.Payload[:s.Rescued()] {
		asked := rules.AskedName(s.Table, s.Legacy, c.Delivered, c.Name)
		if s.Table.IsColumn(name, asked) || !feed.IsExact(asked) && feed.Fold(name) == feed.Fold(c.Name) {
			return column.Column{Name: c.Name, Type: c.Type}, true
		}
	}
	for _, c := range s.Computed {
		if feed.Fold(name) == feed.Fold(c.Name) {
			return column.Column{Name: c.Name, Type: c.Type}, true
		}
	}
	return column.Column{}, false
}

// keyColumn is the column by which people find a row.
func keyColumn(s *rules.Schema) column.Column {
	if s.Kind == feed.KindEvents {
		return column.Column{Name: s.KeyName, Type: column.Int64Type}
	}
	return column.Column{Name: s.UserName, Type: column.Int64Type}
}

// mostSamples is how many rows that fail are shown.
const mostSamples = 10

// sample is some rows that fail.
type sample struct {
	columns []column.Column // those to show: first the key
	rows    []plan.FailedRow
}

func newSample(s *rules.Schema, checked []column.Column) sample {
	key := keyColumn(s)
	out := sample{columns: []column.Column{key}}
	for _, c := range checked {
		if c.Name != key.Name {
			out.columns = append(out.columns, c)
		}
	}
	return out
}

// add takes a row, unless there are enough.
func (s *sample) add(r rowsOf, i int) {
	if len(s.rows) == mostSamples {
		return
	}
	row := plan.FailedRow{Dump: r.dumps[i], Values: make([]*string, len(s.columns))}
	for k, c := range s.columns {
		if col := r.batch.Col(c.Name); !col.IsNull(i) {
			text := string(column.AppendText(nil, col, i))
			row.Values[k] = &text
		}
	}
	s.rows = append(s.rows, row)
}

// names are the columns that the rows show.
func (s *sample) names() []string {
	out := make([]string, len(s.columns))
	for i, c := range s.columns {
		out[i] = c.Name
	}
	return out
}
