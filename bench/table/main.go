// Command table measures what the goals of speed are about and prints a table, with what
// is to be reached beside what was measured here and now:
//
//	go run ./bench/table -python venv/bin/python
//
// It builds reconcile, makes the exports, and runs whatever is compared in turn
// on this machine. -rows selects rows, -scale makes the exports smaller, and
// -engines "" needs no Python.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"reconcile/bench/internal/bed"
	"reconcile/bench/internal/measure"
)

func main() {
	o := options{bed: bed.Options{Root: ".", Log: os.Stderr}, out: os.Stdout}
	var selected, engines string
	flag.StringVar(&selected, "rows", "", "rows to measure, separated by commas (default: all but large); there are:"+rowHelp())
	flag.StringVar(&engines, "engines", "chdb,duckdb,polars", "engines that do the same job; ratios are to chdb")
	flag.Float64Var(&o.scale, "scale", 1, "makes exports smaller: 0.02 takes a minute or two")
	flag.IntVar(&o.runs, "runs", 3, "how often each thing is measured; medians count")
	flag.StringVar(&o.bed.Python, "python", "python3", "Python that has the engines: pip install chdb duckdb polars pyarrow into a virtual environment")
	flag.StringVar(&o.bed.Dir, "dir", "", "folder to work in, in which rows leave what they could not remove (default: a temporary one)")
	flag.StringVar(&o.bed.Memory, "memory-limit", "1GiB", "memory_limit of reconcile")
	flag.IntVar(&o.bed.Threads, "threads", runtime.NumCPU(), "threads that each may use")
	flag.Parse()
	o.rows, o.engines = list(selected), list(engines)
	if err := run(&o); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// options say what is measured.
type options struct {
	bed     bed.Options
	rows    []string
	engines []string
	scale   float64
	runs    int
	out     io.Writer
}

// run measures the rows that are asked for. What was measured before something
// failed is printed, too.
func run(o *options) (err error) {
	rows, err := selectRows(o.rows)
	if err != nil {
		return err
	}
	machine := measure.Machine()
	b, err := bed.New(o.bed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	versions := []string{}
	for _, e := range o.engines {
		v, err := b.Has(e)
		if err != nil {
			return err
		}
		versions = append(versions, v)
	}
	r := &runner{o: o, bed: b}
	start := time.Now()
	var failed error
	for _, row := range rows {
		r.say("== %s, after %.0f s", row.name, time.Since(start).Seconds())
		if err := row.measure(r); err != nil {
			failed = errors.Join(failed, fmt.Errorf("row %s: %w", row.name, err))
		}
	}
	failed = errors.Join(failed, r.close())
	r.print(o.out, rows, heading{machine: machine, versions: versions, took: time.Since(start)})
	return failed
}
