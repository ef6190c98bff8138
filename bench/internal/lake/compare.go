// Package lake compares what is in folders of Parquet files: for each table the
// number of rows and the sum of the rows' hashes, over all columns. Files, their
// order, the order of rows and the unit of timestamps do not count; a column
// that a table lacks counts as null. It never writes.
package lake

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Compare checks that all folders hold the same table, and says what it found.
func Compare(table string, dirs ...string) (string, error) {
	sets := make([]*fileSet, len(dirs))
	all := map[string]bool{}
	for i, d := range dirs {
		var err error
		if sets[i], err = findFiles(filepath.Join(d, table)); err != nil {
			return "", err
		}
		maps.Copy(all, sets[i].columns)
	}
	cols := slices.Sorted(maps.Keys(all))
	var first total
	for i, s := range sets {
		t, err := s.sum(cols)
		switch {
		case err != nil:
			return "", err
		case i == 0:
			first = t
		case t.rows != first.rows:
			return "", fmt.Errorf("%d rows and %d rows in %s and %s", first.rows, t.rows, dirs[0], dirs[i])
		case t != first:
			return "", fmt.Errorf("%s and %s: %w", dirs[0], dirs[i], sets[0].explain(s, cols))
		}
	}
	return fmt.Sprintf("%s: equal, %d rows in %d columns", table, first.rows, len(cols)), nil
}

// explain says which columns differ.
func (s *fileSet) explain(o *fileSet, cols []string) error {
	var bad []string
	for _, c := range cols {
		a, err := s.sum([]string{c})
		if err != nil {
			return err
		}
		b, err := o.sum([]string{c})
		if err != nil {
			return err
		}
		if a != b {
			bad = append(bad, c)
		}
	}
	return fmt.Errorf("the rows differ, taken by themselves the columns %s", strings.Join(bad, ", "))
}
