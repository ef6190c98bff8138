// Command compare measures reconcile against the same job in ClickHouse's
// embedded engine, on one export, one after the other in turn:
//
//	go run ./bench/compare -python venv/bin/python
//
// It builds reconcile, makes an export, loads it several times with each of the
// two, checks that both made the same tables, adds nights of small dumps, and
// checks again. What it prints are tables in Markdown.
//
//	go run ./bench/compare -check FOLDER FOLDER...
//
// only compares the tables in folders.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"

	"reconcile/bench/internal/bed"
	"reconcile/bench/internal/export"
	"reconcile/bench/internal/lake"
)

// options say what is measured.
type options struct {
	bed    bed.Options
	export export.Options
	alone  bool
	runs   int
	nights int
	night  int
}

func main() {
	o := options{bed: bed.Options{Root: ".", Log: os.Stdout}}
	check := flag.Bool("check", false, "compare the tables in folders, and do nothing else")
	flag.StringVar(&o.bed.Dir, "dir", "", "folder to work in, which stays (default: a temporary one)")
	flag.StringVar(&o.bed.Python, "python", "python3", "Python that has chdb: pip install chdb into a virtual environment")
	flag.BoolVar(&o.alone, "without-chdb", false, "measure reconcile alone")
	flag.IntVar(&o.runs, "runs", 3, "cold loads with each")
	flag.IntVar(&o.nights, "nights", 3, "how often a night of each kind is measured")
	flag.IntVar(&o.night, "night", 20_000, "page views of a night")
	flag.IntVar(&o.bed.Threads, "threads", runtime.NumCPU(), "threads that each may use")
	flag.StringVar(&o.bed.Memory, "memory-limit", "1GiB", "memory_limit of reconcile")
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

func run(o *options, check bool, args []string) (err error) {
	switch {
	case check && len(args) > 1:
		return sameTables(args)
	case check || len(args) > 0:
		return errors.New("usage: compare [flags], or compare -check FOLDER FOLDER")
	}
	b, err := bed.New(o.bed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if !o.alone {
		if _, err := b.Has("chdb"); err != nil {
			return err
		}
	}
	m := &comparison{o: o}
	if m.place, err = b.Place("compare", o.export); err != nil {
		return err
	}
	if m.lake, err = m.place.Lake("zstd", "zstd"); err != nil {
		return err
	}
	return m.measure()
}

// sameTables compares the tables of events, sessions and users.
func sameTables(dirs []string) error {
	for _, t := range []string{"pageviews", "sessions", "users"} {
		found, err := lake.Compare(t, dirs...)
		if err != nil {
			return fmt.Errorf("table %s: %w", t, err)
		}
		fmt.Println(found)
	}
	return nil
}
