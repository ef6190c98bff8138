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
	night := flag.Int("night", 0, "add one dump of that many events of the last two days to the export in -dir; of the other flags only -night-migrations counts")
	mapped := flag.Int("night-migrations", 100, "users that the night maps for the first time")
	var o export.Options
	o.Flags(flag.CommandLine)
	flag.Parse()
	start := time.Now()
	var s export.Stats
	var err error
	if *night > 0 {
		s, err = export.AddNight(*dir, export.Night{Events: *night, Migrations: *mapped})
	} else {
		s, err = export.Write(*dir, o)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d rows, %.1f MB, up to dump %d, in %.1f s\n", s.Rows, float64(s.Bytes)/1e6, s.Dump, time.Since(start).Seconds())
	return nil
}
