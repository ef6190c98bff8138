// Package lake compares what is in folders of Parquet files: for each table the
// number of rows and the sum of the rows' hashes, over the columns that both
// have. Files, their order and the order of their rows do not count. It never
// writes.
package lake

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Compare checks that two folders hold the same table, and says what it found.
func Compare(a, b, table string) (string, error) {
	x, err := findFiles(filepath.Join(a, table))
	if err != nil {
		return "", err
	}
	y, err := findFiles(filepath.Join(b, table))
	if err != nil {
		return "", err
	}
	var cols []string
	for name := range x.columns {
		if y.columns[name] {
			cols = append(cols, name)
		}
	}
	slices.Sort(cols)
	ax, err := x.sum(cols)
	if err != nil {
		return "", err
	}
	ay, err := y.sum(cols)
	if err != nil {
		return "", err
	}
	if ax.rows != ay.rows {
		return "", fmt.Errorf("%d rows and %d rows", ax.rows, ay.rows)
	}
	if ax.hash != ay.hash {
		return "", x.explain(y, cols)
	}
	return fmt.Sprintf("%s: equal, %d rows in %d columns", table, ax.rows, len(cols)), nil
}

// explain says which columns differ.
func (f *fileSet) explain(o *fileSet, cols []string) error {
	var bad []string
	for _, c := range cols {
		a, err := f.sum([]string{c})
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
