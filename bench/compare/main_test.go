package main

import (
	"bytes"
	"testing"

	"reconcile/bench/internal/bed"
	"reconcile/bench/internal/export"
)

// TestRun measures reconcile alone on next to nothing. It is about the harness:
// what it prints is not looked at.
func TestRun(t *testing.T) {
	var log bytes.Buffer
	o := &options{alone: true, runs: 1, nights: 2, night: 40,
		bed: bed.Options{Dir: t.TempDir(), Root: "../..", Threads: 2, Memory: "256MiB", Log: &log},
		export: export.Options{Events: 400, Sessions: 40, Users: 300, Columns: 30, Days: 5, Dumps: 2, Order: export.Shuffled,
			Overlap: 0.1, Migrations: 5, Codec: "snappy", FileRows: 100, Seed: 1}}
	if err := run(o, false, nil); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if err := run(o, true, []string{"x"}); err == nil {
		t.Error("one folder was compared with nothing")
	}
}
