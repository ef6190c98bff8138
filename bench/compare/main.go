// Command compare measures reconcile against the same job in ClickHouse's
// embedded engine, on one export, one after the other in turn:
//
//	go run ./bench/compare -python venv/bin/python
//
// It builds reconcile, makes an export, loads it several times with each of the
// two, checks that both made the same tables, adds nights of small dumps, and
// checks again. What it prints are tables in Markdown.
//
//	go run ./bench/compare -check FOLDER FOLDER
//
// only compares the tables in two folders.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"reconcile/bench/internal/export"
	"reconcile/bench/internal/lake"
)

// tables are those that both sides make.
var tables = []string{"pageviews", "sessions", "users"}

// options say what is measured.
type options struct {
	export  export.Options
	dir     string
	python  string
	alone   bool
	runs    int
	nights  int
	night   int
	threads int
	memory  string
}

func main() {
	var o options
	check := flag.Bool("check", false, "compare the tables in two folders, and do nothing else")
	flag.StringVar(&o.dir, "dir", "", "folder to work in, which stays (default: a temporary one)")
	flag.StringVar(&o.python, "python", "python3", "Python that has chdb: pip install chdb into a virtual environment")
	flag.BoolVar(&o.alone, "without-chdb", false, "measure reconcile alone")
	flag.IntVar(&o.runs, "runs", 3, "cold loads with each")
	flag.IntVar(&o.nights, "nights", 3, "nights of each kind")
	flag.IntVar(&o.night, "night", 20_000, "page views of a night")
	flag.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads that each may use")
	flag.StringVar(&o.memory, "memory-limit", "1GiB", "memory_limit of reconcile")
	described := export.NewFlags(flag.CommandLine)
	flag.Parse()
	var err error
	if o.export, err = described.Options(); err == nil {
		err = run(&o, *check, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(o *options, check bool, args []string) error {
	switch {
	case check && len(args) == 2:
		return sameTables(args[0], args[1])
	case check || len(args) > 0:
		return errors.New("usage: compare [flags], or compare -check FOLDER FOLDER")
	}
	if !o.alone {
		if out, err := exec.Command(o.python, "-c", "import chdb").CombinedOutput(); err != nil {
			return fmt.Errorf("%s cannot import chdb (%w): pip install chdb into a virtual environment and name its Python with -python, or say -without-chdb\n%s", o.python, err, out)
		}
	}
	b, err := newBed(o)
	if err != nil {
		return err
	}
	return errors.Join(b.measure(), b.close())
}

func sameTables(a, b string) error {
	for _, t := range tables {
		found, err := lake.Compare(t, a, b)
		if err != nil {
			return fmt.Errorf("table %s: %w", t, err)
		}
		fmt.Println(found)
	}
	return nil
}
