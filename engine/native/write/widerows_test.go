package write

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// written is a file that keeps what its row groups say, however they come.
type written struct {
	columns   []column.Column
	groups    []string
	byColumns int // row groups that came a column at a time
}

func (w *written) Write(_ context.Context, b *column.Batch) error {
	var s strings.Builder
	for i := range b.Cols {
		describe(&s, &b.Cols[i], b.N)
	}
	w.groups = append(w.groups, s.String())
	return nil
}

func (w *written) WriteColumns(_ context.Context, n int, next func(i int) (*column.Column, error)) error {
	var s strings.Builder
	for i := range w.columns {
		c, err := next(i)
		if err != nil {
			return err
		}
		describe(&s, c, n)
	}
	w.groups, w.byColumns = append(w.groups, s.String()), w.byColumns+1
	return nil
}

func (w *written) Size() int64 { return 0 }

func (w *written) Close() (sinks.File, error) { return sinks.File{}, nil }

func (w *written) Abort() {}

func describe(s *strings.Builder, c *column.Column, n int) {
	fmt.Fprintf(s, "%s %s:", c.Name, c.Type)
	for i := range n {
		switch {
		case c.IsNull(i):
			s.WriteString(" null")
		case c.Type.Kind() == column.KindInt64:
			fmt.Fprintf(s, " %d", c.Ints[i])
		case c.Type.Kind() == column.KindDouble:
			fmt.Fprintf(s, " %g", c.Floats[i])
		default:
			fmt.Fprintf(s, " %q", c.Bytes(i))
		}
	}
	s.WriteString("\n")
}

var wideSchema = decode.Schema{Schema: rules.Schema{Kind: feed.KindEvents, Key: feed.EventID, KeyName: feed.EventID, UserName: feed.UserID, PartitionColumn: -1,
	Payload: []rules.Column{{Name: "text", Type: column.StringType}, {Name: "number", Type: column.Int64Type},
		{Name: "real", Type: column.Type{ID: column.Double}}, {Name: feed.RescuedData, Type: column.StringType}}}}

// longText is so long that few records wait to be decoded.
var longText = strings.Repeat("long ", 8<<10)

// stored makes rows of some columns of the schema.
func stored(n int, names ...string) *column.Batch {
	b := &column.Batch{N: n}
	for _, name := range names {
		at := slices.IndexFunc(wideSchema.Payload, func(c rules.Column) bool { return c.Name == name })
		c := column.Column{Name: name, Type: wideSchema.Payload[at].Type}
		c.Reset()
		for i := range n {
			switch {
			case (i+at)%3 == 0:
				c.AppendNulls(1)
			case c.Type.Kind() == column.KindInt64:
				c.AppendInt(int64(i - 5))
			case c.Type.Kind() == column.KindDouble:
				c.AppendFloat(float64(i) / 4)
			default:
				c.AppendBytes(fmt.Appendf(nil, "%s %d %s", name, i%4, longText[:i%2*len(longText)]))
			}
		}
		b.Cols = append(b.Cols, c)
	}
	return b
}

// chunksOf are the same rows with a batch, and with records of its values.
func chunksOf(b *column.Batch) (batch, records *rows.Chunk) {
	head := func() *rows.Chunk {
		ch := &rows.Chunk{Rows: make([]rules.Row, b.N), Verdicts: rows.NewVerdicts(b.N)}
		for i := range ch.Rows {
			ch.Rows[i] = rules.Row{Raw: int64(i / 2), Key: int64(i), At: uint32(i)}
		}
		return ch
	}
	batch, records = head(), head()
	batch.Batch = b
	columns, values := make([]column.Column, len(b.Cols)), make([][]byte, b.N)
	for i := range b.Cols {
		c := &b.Cols[i]
		columns[i] = column.Column{Name: c.Name, Type: c.Type}
		for row := range values {
			values[row] = rows.AppendValue(values[row], c, row)
		}
	}
	records.SetRecords(columns, values)
	return batch, records
}

// build writes rows of chunks in turn.
func build(t *testing.T, limits exec.Limits, group int, w GroupWriter, chunks ...*rows.Chunk) {
	t.Helper()
	o := &Output{Canon: func(raw int64) int64 { return raw + 1000 }, Dumps: []int64{7}, Limits: limits, Sizes: exec.Thresholds{GroupRows: group}}
	passed := exec.Events{Progress: func(exec.Progress) {}}.Stretch(exec.Writing, 1, 1)
	a := o.RowGroupBuilder(&wideSchema, passed, func() (GroupWriter, error) { return w, nil })
	total := 0
	for i := range chunks[0].Rows {
		for _, ch := range chunks {
			if err := a.AddRow(t.Context(), ch, i); err != nil {
				t.Fatal(err)
			}
			total++
		}
	}
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.Rows != int64(total) {
		t.Errorf("%d rows are written of %d", a.Rows, total)
	}
}

// Rows of very many columns become the row groups that other rows become, from batches and
// from records, of whatever columns in whatever order.
func TestWideRows(t *testing.T) {
	var batches, records, mixed []*rows.Chunk
	for i, names := range [][]string{{"text", "number", "real", feed.RescuedData}, {feed.RescuedData, "real", "text"}, {"real", "number", "text", feed.RescuedData}} {
		batch, record := chunksOf(stored(40, names...))
		batches, records, mixed = append(batches, batch), append(records, record), append(mixed, []*rows.Chunk{batch, record}[i%2])
	}
	narrow, wide := exec.Limits{Budget: exec.RowBudget(1<<20, 1)}, exec.Limits{Budget: exec.RowBudget(1<<20, 1), WideFrom: 2}
	for _, group := range []int{7, 1000} {
		var want written
		build(t, exec.Limits{Budget: exec.RowBudget(1<<30, 1)}, group, &want, batches...)
		for name, chunks := range map[string][]*rows.Chunk{"batches": batches, "records": records, "batches and records": mixed} {
			for _, limits := range []exec.Limits{narrow, wide} {
				got := written{columns: wideSchema.FileColumns()}
				build(t, limits, group, &got, chunks...)
				if limits.WideFrom == 0 && name != "batches" && group == 1000 {
					continue // row groups end by the bytes of records, too
				}
				if !slices.Equal(got.groups, want.groups) {
					t.Errorf("%s, wide from %d columns, row groups of %d: %d of %d, or others", name, limits.WideFrom, group, len(got.groups), len(want.groups))
				}
				if byColumns := limits.WideFrom > 0; byColumns != (got.byColumns == len(got.groups)) {
					t.Errorf("%s, wide from %d columns: %d of %d row groups came by columns", name, limits.WideFrom, got.byColumns, len(got.groups))
				}
			}
		}
	}
}

// Rows of one scratch file are the columns of a row group as they are read, and those of the
// next row group do not change them.
func TestRowsOfOneScratchFile(t *testing.T) {
	for name, names := range map[string][]string{"the payload": {"text", "number", "real", feed.RescuedData}, "in another order": {"number", "text", "real", feed.RescuedData}} {
		batch, records := chunksOf(stored(40, names...))
		var got, want written
		for w, ch := range map[*written]*rows.Chunk{&got: records, &want: batch} {
			build(t, exec.Limits{Budget: exec.RowBudget(1<<20, 1)}, 13, w, ch)
		}
		if !slices.Equal(got.groups, want.groups) || len(got.groups) != 4 {
			t.Errorf("%s: %d row groups of %d, or others", name, len(got.groups), len(want.groups))
		}
		var g Gatherer
		g.Plans.Schema = &wideSchema
		g.AddRow(records, 3)
		g.AddRow(records, 4)
		if err := g.Resolve(); err != nil {
			t.Fatal(err)
		}
		if only := g.OnlySource() != nil; only != (name == "the payload") {
			t.Errorf("%s: taken over as they are: %v", name, only)
		}
	}
}

// Records that are read wait no longer: they keep a scratch file's blocks in memory.
func TestFewRecordsWait(t *testing.T) {
	_, records := chunksOf(stored(40, "text", "number", "real", feed.RescuedData))
	var g Gatherer
	g.Plans.Schema = &wideSchema
	for i := range records.Rows {
		g.AddRow(records, i)
		if waiting := g.values[0].waiting; waiting >= readAfter {
			t.Errorf("%d bytes wait behind row %d", waiting, i)
		}
	}
	if g.values[0].batch.N == 0 {
		t.Error("all records wait")
	}
	if err := g.Resolve(); err != nil || len(g.values[0].records) != 0 || g.values[0].batch.N != len(records.Rows) {
		t.Errorf("%d records wait, %d were read: %v", len(g.values[0].records), g.values[0].batch.N, err)
	}
}

// wholeGroups is a file that takes whole row groups alone.
type wholeGroups struct{ sinks.Writer }

// A sink that takes whole row groups alone has what another one has.
func TestWideRowsInEverySink(t *testing.T) {
	batch, _ := chunksOf(stored(20, "text", "number", "real", feed.RescuedData))
	byColumns, whole := &copies{written: written{columns: wideSchema.FileColumns()}}, &written{}
	m := &Files{ws: []sinks.Writer{byColumns, wholeGroups{whole}}, schema: &wideSchema}
	build(t, exec.Limits{Budget: exec.RowBudget(1<<30, 1), WideFrom: 2}, 8, m, batch)
	if !slices.Equal(byColumns.groups, whole.groups) || len(whole.groups) != 3 || byColumns.byColumns != 3 {
		t.Errorf("one sink has %d row groups, %d by columns, and the other one %d, or others", len(byColumns.groups), byColumns.byColumns, len(whole.groups))
	}
}

// copies is a file that takes row groups in every way.
type copies struct{ written }

func (c *copies) Copy(context.Context, sinks.GroupReader, int, map[string]*column.Column) error {
	return nil
}
