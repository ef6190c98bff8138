// Command compare checks that two folders of Parquet files hold the same tables:
// for each subfolder of the first, the same number of rows and the same sum of
// the rows' hashes, over the columns that both have. Files, their order and the
// order of their rows do not count.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	tables := flag.String("tables", "pageviews,sessions,users", "tables to compare, with a comma between two")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: compare [-tables A,B] FOLDER FOLDER")
		os.Exit(1)
	}
	for _, t := range strings.Split(*tables, ",") {
		if err := compare(flag.Arg(0), flag.Arg(1), t); err != nil {
			fmt.Fprintf(os.Stderr, "compare: table %s: %v\n", t, err)
			os.Exit(1)
		}
	}
}

func compare(a, b, table string) error {
	x, err := findFiles(filepath.Join(a, table))
	if err != nil {
		return err
	}
	y, err := findFiles(filepath.Join(b, table))
	if err != nil {
		return err
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
		return err
	}
	ay, err := y.sum(cols)
	if err != nil {
		return err
	}
	if ax.rows != ay.rows {
		return fmt.Errorf("%d rows and %d rows", ax.rows, ay.rows)
	}
	if ax.hash != ay.hash {
		return x.explain(y, cols)
	}
	fmt.Printf("%s: equal, %d rows in %d columns\n", table, ax.rows, len(cols))
	return nil
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
