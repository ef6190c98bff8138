package rules

import (
	"fmt"
	"strings"
	"testing"

	"reconcile/internal/column"
	"reconcile/internal/definition"
)

// BenchmarkManyNames is the time by name of what is done with the names of a file: it is
// the same for few and for many.
func BenchmarkManyNames(b *testing.B) {
	table := &definition.Table{OnSchemaChange: definition.Evolve}
	for what, spell := range map[string]func(string) string{"listed": strings.ToLower, "other": strings.ToUpper,
		"unlisted": func(s string) string { return s + "?" }} {
		for _, n := range []int{2500, 10_000} {
			f := &FileNames{HasColumns: true}
			var delivered []Delivered
			var rescued []column.Rescued
			for i := range n {
				name := fmt.Sprint("a column ", i)
				f.Columns, f.Fields = append(f.Columns, name), append(f.Fields, spell(name))
				delivered = append(delivered, Delivered{Name: name, Dump: 1, Listed: true})
				rescued = append(rescued, column.Rescued{Name: spell(name)})
			}
			b.Run(fmt.Sprint(what, n), func(b *testing.B) {
				for b.Loop() {
					s := NewSchema(table, "events", "event_id", nil, delivered, AllLive, false)
					s.Survey(f)
					l := f.Listed()
					for _, i := range l.Order() {
						s.Meant(l, f.Fields[i])
					}
					addRescued(s, rescued[:n/2:n/2], rescued)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/name")
			})
		}
	}
}
