package main

import (
	"context"
	"fmt"
	"strings"

	"reconcile/engine"
	"reconcile/engine/rescued"
	"reconcile/internal/amount"
)

// rescuedLine is what a table could not take as it was delivered.
type rescuedLine struct {
	Address     string          `json:"address"`
	Name        string          `json:"name"`
	Rows        int64           `json:"rows"`
	Rescued     int64           `json:"rows_rescued"`
	Quarantined int64           `json:"rows_quarantined"`
	Columns     []rescuedColumn `json:"columns"`
}

// rescuedColumn is a delivered column of it.
type rescuedColumn struct {
	Delivered   string   `json:"delivered"`
	Published   []string `json:"published"`
	Rescued     int64    `json:"values_rescued"`
	Quarantined int64    `json:"rows_quarantined"`
}

// showRescued counts what a table, or all of them, could not take as it was delivered.
func (s *session) showRescued(ctx context.Context, o *configFlags, table string) error {
	e, err := s.reader(ctx, o)
	if err != nil {
		return err
	}
	if table != "" { // one that nobody knows has an answer of its own
		if _, err := e.Inspect().ShowTable(ctx, table); err != nil {
			return err
		}
	}
	list, err := engine.Rescued(e).Count(ctx, table)
	if err != nil {
		return err
	}
	s.view.rescued(list)
	return nil
}

func (v *jsonView) rescued(list []rescued.Table) {
	for _, t := range list {
		line := rescuedLine{"table." + t.Name, t.Name, t.Rows, t.Rescued, t.Quarantined, []rescuedColumn{}}
		for _, c := range t.Columns {
			line.Columns = append(line.Columns, rescuedColumn{c.Delivered, append([]string{}, c.Published...), c.Rescued, c.Quarantined})
		}
		v.record("rescued", line, "")
	}
}

func (v *textView) rescued(list []rescued.Table) {
	sound := int64(0)
	for _, t := range list {
		if len(t.Columns) == 0 {
			sound++
			continue
		}
		v.printf("%s: %s of %s with rescued values, %s in the quarantine\n", v.style.bold("table."+t.Name), amount.Number(t.Rescued), amount.Of(t.Rows, "row"), amount.Number(t.Quarantined))
		for _, c := range t.Columns {
			v.printf("  %s%s: %s\n", c.Delivered, publishedText(&c), countsOf(&c))
		}
	}
	if sound > 0 {
		v.printf("Everything as it was delivered: %s.\n", amount.Of(sound, "table"))
	}
}

// publishedText names the columns that a delivered one is published as, if that is not its
// own name.
func publishedText(c *rescued.Column) string {
	if len(c.Published) == 0 || len(c.Published) == 1 && c.Published[0] == c.Delivered {
		return ""
	}
	return fmt.Sprintf(" (column %s)", strings.Join(c.Published, " or "))
}

func countsOf(c *rescued.Column) string {
	var parts []string
	if c.Rescued > 0 {
		parts = append(parts, amount.Of(c.Rescued, "value")+" rescued")
	}
	if c.Quarantined > 0 {
		parts = append(parts, amount.Of(c.Quarantined, "row")+" in the quarantine")
	}
	return strings.Join(parts, ", ")
}
