package engine

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/enginetest"
	"reconcile/engine/inspect"
	"reconcile/engine/model"
	"reconcile/engine/model/reader"
	"reconcile/engine/plan"
	"reconcile/internal/column"
	"reconcile/internal/parquet"
)

// bed is a harness whose expectations are written out by hand from the
// contract, so that a mistake that engine and model share shows.
type bed struct {
	*harness
}

func newBed(t *testing.T, hcl string) *bed {
	return &bed{newHarness(t, hcl)}
}

// lakeTables is the configuration that most contract tests start from.
const lakeTables = `
table "*" { sinks = [sink.parquet.lake] }
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`

// Short names for what nearly every test writes.
var (
	dumpOf      = enginetest.DumpOf
	full        = enginetest.Full
	more        = enginetest.More
	withColumns = enginetest.WithColumns
	avroPart    = enginetest.Part
	row         = enginetest.Row
	avroType    = enginetest.AvroType
)

// run applies, and fails on an error.
func (a *bed) run(dumps ...*model.Dump) *Result {
	a.t.Helper()
	a.arrive(dumps...)
	res, err := a.apply()
	if err != nil {
		a.t.Fatal(err)
	}
	for _, t := range res.Tables {
		if t.Err != nil {
			a.t.Fatalf("table %s: %v", t.Name, t.Err)
		}
	}
	return res
}

// held fails unless exactly one hold matches each text: one that has all of its
// words.
func (a *bed) held(res *Result, want ...string) {
	a.t.Helper()
	left := slices.Clone(res.Holds)
	for _, w := range want {
		i := slices.IndexFunc(left, func(h plan.Hold) bool {
			text := fmt.Sprintf("%s %d %s %s", h.Table, h.Dump, h.File, h.Reason)
			for _, word := range strings.Fields(w) {
				if !strings.Contains(text, word) {
					return false
				}
			}
			return true
		})
		if i < 0 {
			a.t.Errorf("nothing is held with %q: %+v", w, res.Holds)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		a.t.Errorf("held as well: %+v", left)
	}
}

// got returns columns of a folder's rows, sorted: "-" is null, "@" the path
// below the folder.
func (a *bed) got(folder, columns string) []string {
	a.t.Helper()
	dir := filepath.Join(a.lake(), folder)
	out := []string{}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".parquet") {
			return nil
		}
		rel, _ := filepath.Rel(dir, p)
		for _, r := range a.fileRows(p) {
			r["@"] = path.Dir(filepath.ToSlash(rel))
			var words []string
			for _, c := range strings.Fields(columns) {
				v, ok := r[c]
				if !ok {
					v = "-"
				}
				words = append(words, v)
			}
			out = append(out, strings.Join(words, " "))
		}
		return nil
	})
	slices.Sort(out)
	return out
}

func (a *bed) fileRows(p string) []map[string]string {
	a.t.Helper()
	names, rows := a.rowsOf(p)
	out := make([]map[string]string, len(rows))
	for i, r := range rows {
		out[i] = map[string]string{}
		for c, v := range r {
			out[i][names[c]] = "-"
			if v != nil {
				out[i][names[c]] = *v
			}
		}
	}
	return out
}

// want compares some columns of all rows of a folder; the rows in any order.
func (a *bed) want(folder, columns string, rows ...string) {
	a.t.Helper()
	slices.Sort(rows)
	if diff := diffLines(rows, a.got(folder, columns)); diff != "" {
		a.t.Errorf("%s (%s), - wanted, + there:\n%s", folder, columns, diff)
	}
}

// diffLines compares two sorted lists.
func diffLines(want, got []string) string {
	if slices.Equal(want, got) {
		return ""
	}
	var b strings.Builder
	for _, w := range want {
		if !slices.Contains(got, w) {
			b.WriteString("  - " + w + "\n")
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			b.WriteString("  + " + g + "\n")
		}
	}
	fmt.Fprintf(&b, "  (%d wanted, %d there)", len(want), len(got))
	return b.String()
}

// columns returns the columns of the first file of a folder, in their spelling.
func (a *bed) columns(folder string) string {
	a.t.Helper()
	var names []string
	_ = filepath.WalkDir(filepath.Join(a.lake(), folder), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(p, ".parquet") {
			names, _ = a.rowsOf(p)
			return fs.SkipAll
		}
		return nil
	})
	return strings.Join(names, " ")
}

// wantBad compares the quarantine of a table: dump, row, reason words, data.
func (a *bed) wantBad(table string, want ...string) {
	a.t.Helper()
	got := []string{}
	err := a.engine().Inspect().Quarantine(a.t.Context(), table, func(q inspect.Row) error {
		got = append(got, fmt.Sprintf("%d %d %s", q.Dump, q.Row, q.Data))
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := diffLines(want, got); diff != "" {
		a.t.Errorf("quarantined of %s, - wanted, + there:\n%s", table, diff)
	}
}

// rowsOf reads a data file: its columns as spelled, and their texts.
func (a *bed) rowsOf(p string) ([]string, [][]*string) {
	a.t.Helper()
	data, err := os.ReadFile(p)
	if err != nil {
		a.t.Fatal(err)
	}
	f, err := parquet.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		a.t.Fatal(p, err)
	}
	var names []string
	for _, c := range f.Columns() {
		names = append(names, c.Name)
	}
	var rows [][]*string
	for g := range f.RowGroups() {
		b := &column.Batch{}
		if err := f.ReadRowGroup(g, f.Columns(), b); err != nil {
			a.t.Fatal(p, err)
		}
		for i := range b.N {
			r := make([]*string, len(b.Cols))
			for c := range b.Cols {
				if !b.Cols[c].IsNull(i) {
					r[c] = model.Text(reader.TextOf(&b.Cols[c], i))
				}
			}
			rows = append(rows, r)
		}
	}
	return names, rows
}
