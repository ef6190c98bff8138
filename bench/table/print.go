package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"reconcile/bench/internal/measure"
)

// heading is what stands above the table.
type heading struct {
	machine  string
	versions []string
	took     time.Duration
}

// print prints the table of the issue, and below it what it was made from.
func (r *runner) print(w io.Writer, rows []row, h heading) {
	fmt.Fprintf(w, "%s; %d threads for each", h.machine, r.o.bed.Threads)
	if len(h.versions) > 0 {
		fmt.Fprintf(w, "; %s", strings.Join(h.versions, ", "))
	}
	fmt.Fprintf(w, ". Medians of %d, in %.0f s; load %s at the end.\n", r.o.runs, h.took.Seconds(), measure.Load())
	if r.o.scale != 1 {
		fmt.Fprintf(w, "\nScale %v: what is to be reached is meant for scale 1.\n", r.o.scale)
	}
	fmt.Fprintln(w, "\n| row | what | at least | hoped for | measured | reached |\n|---|---|---|---|---|---|")
	for _, row := range rows {
		found := r.rowsOf(row.name)
		if len(found) == 0 {
			found = []finding{{text: "failed", met: missed}}
		}
		for _, f := range found {
			text := f.text
			if f.remark != "" {
				text += " (" + f.remark + ")"
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", row.name, row.title, row.atLeast, row.hopedFor, text, f.met)
		}
	}
	r.printSeries(w)
}

func (r *runner) printSeries(w io.Writer) {
	fmt.Fprintln(w, "\n| | wall s | median | CPU s | median | peak MiB | MB read and written |\n|---|---|---|---|---|---|---|")
	for _, s := range r.series {
		if len(s.Samples) == 0 {
			continue
		}
		fmt.Fprintf(w, "| %s | %s | %.2f | %s | %.2f | %.0f | %.0f |\n", s.Name, s.Each(measure.Wall), s.Median(measure.Wall),
			s.Each(measure.CPU), s.Median(measure.CPU), mib(s.Peak()), s.Median(measure.IO))
	}
}

// rowsOf returns what was found for a row.
func (r *runner) rowsOf(name string) []finding {
	var out []finding
	for _, f := range r.found {
		if f.row == name {
			out = append(out, f)
		}
	}
	return out
}
