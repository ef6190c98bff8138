// Command generate makes an export for benchmarks in a folder, or adds the dump
// of one more night to it. Equal flags make equal bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"reconcile/bench/internal/export"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	dir := flag.String("dir", "dumps", "folder of the export")
	add := flag.Bool("add-night", false, "add one dump to the export in -dir; of the other flags only those of nights count")
	var n export.Night
	n.Flags(flag.CommandLine)
	f := export.NewFlags(flag.CommandLine)
	flag.Parse()
	start := time.Now()
	var s export.Stats
	var err error
	if *add || n.Events > 0 {
		s, err = export.AddNight(*dir, n)
	} else {
		var o export.Options
		if o, err = f.Options(); err == nil {
			s, err = export.Write(*dir, o)
		}
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d rows, %.1f MB, up to dump %d, in %.1f s\n", s.Rows, float64(s.Bytes)/1e6, s.Dump, time.Since(start).Seconds())
	return nil
}
