package checks

import (
	"context"
	"slices"

	"reconcile/internal/column"
)

// notNull judges that columns have values.
type notNull struct {
	of   Subject
	cols []column.Column // that the table has
	out  outcome
}

func newNotNull(s *Step, x Subject) rowJudge {
	j := &notNull{of: x}
	for _, name := range x.Check.Columns {
		if c, ok := columnOf(s.Task.Schema, name); ok {
			j.cols = append(j.cols, c)
		}
	}
	if len(j.cols) == 0 {
		return nil
	}
	j.out.sample = newSample(s.Task.Schema, j.cols)
	return j
}

func (j *notNull) subject() *Subject        { return &j.of }
func (j *notNull) columns() []column.Column { return j.out.sample.columns }
func (j *notNull) close() error             { return nil }

func (j *notNull) take(_ context.Context, r rowsOf) error {
	j.out.judged += int64(len(r.at))
	cols := make([]*column.Column, len(j.cols))
	for k, c := range j.cols {
		cols[k] = r.batch.Col(c.Name)
	}
	for _, i := range r.at {
		if slices.ContainsFunc(cols, func(c *column.Column) bool { return c.IsNull(i) }) {
			j.out.failed++
			j.out.sample.add(r, i)
		}
	}
	return nil
}

func (j *notNull) finish(context.Context) (*outcome, error) { return &j.out, nil }

// acceptedValues judges that a column has no values but some. Null is none that fails.
type acceptedValues struct {
	of   Subject
	col  column.Column // with the values that are accepted
	out  outcome
	text map[string]bool // of a column of bytes
	seen []verdictOfCode // by code of a batch
}

// verdictOfCode is what is known of a value of a dictionary.
type verdictOfCode uint8

const (
	codeUnknown verdictOfCode = iota
	codeAccepted
	codeRefused
)

func newAcceptedValues(s *Step, x Subject) rowJudge {
	c, ok := columnOf(s.Task.Schema, x.Check.Columns[0])
	if !ok {
		return nil
	}
	j := &acceptedValues{of: x, col: c, text: map[string]bool{}}
	j.out.sample = newSample(s.Task.Schema, []column.Column{c})
	var texts column.Column
	texts.Reset()
	for _, v := range x.Check.Values {
		texts.AppendBytes([]byte(v))
	}
	column.Cast(&texts, c.Type, &j.col)
	for i := range texts.Codes {
		if c.Type.Kind() == column.KindBytes && !j.col.IsNull(i) {
			j.text[string(j.col.Bytes(i))] = true
		}
	}
	return j
}

func (j *acceptedValues) subject() *Subject        { return &j.of }
func (j *acceptedValues) columns() []column.Column { return j.out.sample.columns }
func (j *acceptedValues) close() error             { return nil }

func (j *acceptedValues) take(_ context.Context, r rowsOf) error {
	j.out.judged += int64(len(r.at))
	c := r.batch.Col(j.col.Name)
	if c.Type.Kind() == column.KindBytes {
		j.seen = append(j.seen[:0], make([]verdictOfCode, c.Dict.Len())...)
	}
	for _, i := range r.at {
		if !c.IsNull(i) && !j.accepts(c, i) {
			j.out.failed++
			j.out.sample.add(r, i)
		}
	}
	return nil
}

// accepts reports whether a value is one of those that are accepted.
func (j *acceptedValues) accepts(c *column.Column, i int) bool {
	if c.Type.Kind() != column.KindBytes {
		for k := range j.of.Check.Values {
			if !j.col.IsNull(k) && column.CompareValues(c, i, &j.col, k) == 0 {
				return true
			}
		}
		return false
	}
	v := &j.seen[c.Codes[i]]
	if *v == codeUnknown {
		*v = codeRefused
		if j.text[string(c.Bytes(i))] {
			*v = codeAccepted
		}
	}
	return *v == codeAccepted
}

func (j *acceptedValues) finish(context.Context) (*outcome, error) { return &j.out, nil }
