package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"reconcile/internal/column"
	"reconcile/internal/parquet"
)

// null is how a missing value prints.
const null = "-"

// contents are the rows of a table as any reader sees them: its files united by
// name, with the folder of each.
type contents struct {
	rows  []map[string]string
	files []file
}

type file struct {
	path string // below the table's folder
	rows int
}

// lake reads all tables.
func (s *stage) lake() (map[string]*contents, error) {
	dirs, err := os.ReadDir(filepath.Join(s.dir, "lake"))
	if err != nil {
		return nil, err
	}
	out := map[string]*contents{}
	for _, d := range dirs {
		if d.Name() == "_reconcile" {
			continue
		}
		if out[d.Name()], err = s.table(d.Name()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// table reads every *.parquet below a table's folder.
func (s *stage) table(name string) (*contents, error) {
	c := &contents{}
	root := os.DirFS(filepath.Join(s.dir, "lake", name))
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".parquet" {
			return err
		}
		data, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		return c.read(p, string(data))
	})
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	return c, nil
}

func (c *contents) read(name, data string) error {
	f, err := parquet.Open(strings.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.files = append(c.files, file{name, int(f.Rows())})
	for g := range f.RowGroups() {
		var b column.Batch
		if err := f.ReadRowGroup(g, nil, &b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i := range b.N {
			row := map[string]string{"folder": path.Dir(name)}
			for j := range b.Cols {
				if col := &b.Cols[j]; !col.IsNull(i) {
					row[col.Name] = string(column.AppendText(nil, col, i))
				}
			}
			c.rows = append(c.rows, row)
		}
	}
	return nil
}

// same compares rows and values; order and files do not count.
func (c *contents) same(other *contents) error {
	if other == nil {
		return errors.New("it is not there")
	}
	a, b := c.lines(), other.lines()
	if !slices.Equal(a, b) {
		return fmt.Errorf("%d rows differ from %d", len(a), len(b))
	}
	return nil
}

// lines gives each row as one text, sorted.
func (c *contents) lines() []string {
	out := make([]string, len(c.rows))
	for i, r := range c.rows {
		out[i] = fmt.Sprint(r) // maps print sorted by key
	}
	slices.Sort(out)
	return out
}

// shopperIDs are all ids of Ana and of Ben.
var shopperIDs = []string{"5104117", "5104522", "5100031", "5107300", "5100044"}

// shoppers prints the rows of Ana and Ben.
func (s *stage) shoppers(tables ...string) error {
	for _, name := range tables {
		t, err := s.table(name)
		if err != nil {
			return err
		}
		if name == "users" {
			s.print(name, t.where("user_id", shopperIDs), "user_id", "joindate", "last_modified", "email", "plan", "initial_utm_source", "_dump_id")
			continue
		}
		s.print(name, t.where("_raw_user_id", shopperIDs), "event_id", "user_id", "_raw_user_id", "time", "revenue", "coupon", "_dump_id", "_rescued_data")
	}
	return nil
}

// where returns the rows in which a column has one of the values.
func (c *contents) where(name string, values []string) []map[string]string {
	return slices.DeleteFunc(slices.Clone(c.rows), func(r map[string]string) bool { return !slices.Contains(values, r[name]) })
}

// print prints some columns of rows as a table, sorted by their text.
func (s *stage) print(name string, rows []map[string]string, columns ...string) {
	lines := make([]string, len(rows))
	for i, r := range rows {
		cells := make([]string, len(columns))
		for j, c := range columns {
			cells[j] = null
			if v, ok := r[c]; ok {
				cells[j] = v
			}
		}
		lines[i] = strings.Join(cells, "\t")
	}
	slices.Sort(lines)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  "+strings.Join(columns, "\t"))
	for _, l := range lines {
		fmt.Fprintln(w, "  "+l)
	}
	_ = w.Flush() // a strings.Builder takes everything
	s.say("\n%s\n%s", name, trailing.ReplaceAllString(b.String(), ""))
}

// files prints the files of one table.
func (s *stage) files(table string) error {
	t, err := s.table(table)
	if err != nil {
		return err
	}
	s.say("\nThe files of %s:\n\n", table)
	for _, f := range t.files {
		s.say("  lake/%s/%s  %d rows\n", table, f.path, f.rows)
	}
	return nil
}
