package rules

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"unicode/utf8"

	"reconcile/internal/column"
	"reconcile/internal/definition"
)

// replacement stands for invalid UTF-8.
var replacement = []byte("\uFFFD")

// RepairTexts replaces invalid UTF-8 among the last n values of a column of text, in
// place, and returns the originals.
func RepairTexts(c *column.Column, n int) []column.Fail {
	if len(c.Dict.Invalid()) == 0 {
		return nil
	}
	var fails []column.Fail
	base := len(c.Codes) - n
	for row, code := range c.Codes[base:] {
		if code == 0 || utf8.Valid(c.Dict.Value(code)) {
			continue
		}
		original := bytes.Clone(c.Dict.Value(code))
		fails = append(fails, column.Fail{Row: row, Text: original, Kept: true})
		c.Codes[base+row] = c.Dict.Add(bytes.ToValidUTF8(original, replacement))
	}
	return fails
}

// RestoreOriginals gives the values of a text column, i in the payload, back the bytes
// that were not valid UTF-8, which rescued keeps: masks and casts are of the original.
func (s *Schema) RestoreOriginals(c, rescued *column.Column, i int) {
	for row, code := range c.Codes {
		if code == 0 || rescued.IsNull(row) || !bytes.Contains(c.Dict.Value(code), replacement) {
			continue
		}
		items, err := column.SplitRescue(rescued.Bytes(row))
		if err != nil {
			continue // CarryRescued says so
		}
		for _, it := range items {
			if targets, _ := s.Feeds(it.Name); !slices.Contains(targets, i) {
				continue
			}
			original, err := base64.StdEncoding.DecodeString(string(it.Value))
			if err == nil && bytes.Equal(bytes.ToValidUTF8(original, replacement), c.Dict.Value(code)) {
				c.Codes[row] = c.Dict.Add(original)
				break
			}
		}
	}
}

// CarryRescued appends to dst _rescued_data of selected rows, of which old is what they
// had: without the columns that the schema masks or no longer has, and with what did not
// cast now, by row. What a row had already wins: it is the original, the column holds
// the repaired text.
func (s *Schema) CarryRescued(dst, old *column.Column, selection []column.SourceRow, fresh map[int][]column.Rescued) error {
	for _, p := range selection {
		had := []byte(nil)
		if !old.IsNull(int(p.Row)) {
			had = old.Bytes(int(p.Row))
		}
		items := fresh[int(p.Row)]
		if had == nil && items == nil {
			dst.AppendNulls(1)
			continue
		}
		all, err := column.SplitRescue(had)
		if err != nil {
			return fmt.Errorf("_rescued_data %q: %w", had, err)
		}
		keep := slices.DeleteFunc(all, func(it column.Rescued) bool { return !s.Rescues(it.Name) })
		keep = addRescued(s, keep, items)
		if len(keep) == 0 {
			dst.AppendNulls(1)
			continue
		}
		dst.AppendBytes(column.AppendRescue(nil, keep))
	}
	return nil
}

// Rescues reports whether a rescued value of that name belongs to the rows.
func (s *Schema) Rescues(name string) bool {
	targets, dropped := s.Feeds(name)
	masked := slices.ContainsFunc(targets, func(t int) bool { return t >= 0 && s.Payload[t].Mask != definition.MaskNone })
	return len(targets) > 0 && !dropped && !masked
}

// addRescued adds values that did not cast, unless the row holds one of that
// column already.
func addRescued(s *Schema, keep, items []column.Rescued) []column.Rescued {
	if len(items) == 0 || len(keep) == 0 && len(items) == 1 { // as mostly
		return append(keep, items...)
	}
	names, fed := map[string]bool{}, map[int]bool{}
	note := func(name string, targets []int) {
		names[name] = true
		for _, t := range targets {
			fed[t] = true
		}
	}
	for _, it := range keep {
		targets, _ := s.Feeds(it.Name)
		note(it.Name, targets)
	}
	for _, it := range items {
		targets, _ := s.Feeds(it.Name)
		if !names[it.Name] && !slices.ContainsFunc(targets, func(t int) bool { return fed[t] }) {
			keep = append(keep, it)
			note(it.Name, targets)
		}
	}
	return keep
}
