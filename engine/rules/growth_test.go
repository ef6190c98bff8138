package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"reconcile/internal/definition"
)

// leastTime is the least time of some calls.
func leastTime(f func()) time.Duration {
	least := time.Hour
	for range 5 {
		begin := time.Now()
		f()
		least = min(least, time.Since(begin))
	}
	return least
}

// What is done with the names of a file takes time by their number, not by its square:
// sixteen times as many may take a hundred times as long, not 256 times.
func TestManyNames(t *testing.T) {
	const few, times = 1000, 16
	table := &definition.Table{OnSchemaChange: definition.Evolve}
	for what, spell := range map[string]func(string) string{"as listed": strings.ToLower, "in another spelling": strings.ToUpper,
		"unlisted": func(s string) string { return s + "?" }} {
		measure := func(n int) time.Duration {
			f := &FileNames{HasColumns: true}
			var delivered []Delivered
			for i := range n {
				name := fmt.Sprint("a_column_", i)
				f.Columns, f.Fields = append(f.Columns, name), append(f.Fields, spell(name))
				delivered = append(delivered, Delivered{Name: name, Dump: 1, Listed: true})
			}
			return leastTime(func() {
				s := NewSchema(table, "events", "event_id", nil, delivered, AllLive, false)
				s.Survey(f)
				l := f.Listed()
				for _, i := range l.Order() {
					s.Meant(l, f.Fields[i])
				}
			})
		}
		if a, b := measure(few), measure(few*times); b > a*100 {
			t.Errorf("%s: %d names take %v, %d names %v", what, few, a, few*times, b)
		} else {
			t.Logf("%s: %d names take %v, %d names %v", what, few, a, few*times, b)
		}
	}
}
