package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"reconcile/bench/internal/bed"
	"reconcile/internal/blob/s3test"
)

// TestTable measures every row that is quick on next to nothing, without Python.
// It is about the harness: what it finds is not looked at.
func TestTable(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs programs")
	}
	var names []string
	_, err := s3test.Find()
	for _, r := range allRows() {
		if r.name != "history" && r.name != "large" && (r.name != "s3" || err == nil) {
			names = append(names, r.name)
		}
	}
	var log, out bytes.Buffer
	o := &options{
		bed:  bed.Options{Dir: t.TempDir(), Root: "../..", Threads: 2, Memory: "256MiB", Log: &log},
		rows: names, scale: 0.0005, runs: 1, out: &out,
	}
	if err := run(o); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	t.Log(out.String())
	for _, n := range names {
		if !strings.Contains(out.String(), "| "+n+" | ") {
			t.Errorf("there is no row %s", n)
		}
	}
	if strings.Contains(out.String(), "failed") || strings.Contains(out.String(), "NaN") {
		t.Error(out.String())
	}
}

func TestSelectRows(t *testing.T) {
	names := func(rows []row) []string {
		var out []string
		for _, r := range rows {
			out = append(out, r.name)
		}
		return out
	}
	all, err := selectRows(nil)
	if err != nil || len(all) != len(allRows())-1 || slices.Contains(names(all), "large") {
		t.Errorf("%v, %v", names(all), err)
	}
	two, err := selectRows([]string{"large", "cold"})
	if err != nil || !slices.Equal(names(two), []string{"cold", "large"}) {
		t.Errorf("%v, %v", names(two), err)
	}
	if _, err := selectRows([]string{"nihgt"}); err == nil {
		t.Error("a misspelt row is no error")
	}
}
