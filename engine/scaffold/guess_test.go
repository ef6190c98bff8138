package scaffold

import (
	"fmt"
	"slices"
	"testing"

	"reconcile/internal/column"
)

// A type is guessed where all values have it beyond doubt, and there are enough of them.
func TestGuess(t *testing.T) {
	many := func(values ...string) []string {
		return slices.Repeat(values, (enough+len(values)-1)/len(values))
	}
	for _, c := range []struct {
		name   string
		values []string
		want   string
	}{
		{"quantity", many("1", "0", "-25"), "int64"},
		{"quantity", many("1", "0", " 25"), ""},
		{"quantity", append(many("1", "25"), "", " "), "int64"},
		{"quantity", many("1", "2")[:enough-1], ""},
		{"quantity", append(many("1", "2")[:enough-1], slices.Repeat([]string{""}, 50)...), ""},
		{"quantity", many("1", "007"), ""},
		{"quantity", append(many("1"), "n/a"), ""},
		{"quantity", many("1234567890123"), ""}, // as an EAN, or a time
		{"user_number", many("1", "2"), ""},
		{"zip", many("10115"), ""},
		{"productId", many("5"), ""},
		{"Order ID", many("5"), ""},
		{"app_version", many("1.2", "1.3"), ""},
		{"price", many("1.50", "2", "-0.25", "1e3"), "double"},
		{"price", many("1.50", "NaN"), ""},
		{"price", many("01.50"), ""},
		{"price", many("1.2345678901234567"), ""},
		{"price", many("1e999", "1.5"), ""},
		{"flag", many("true", "FALSE"), "boolean"},
		{"flag", many("t", "f"), ""},
		{"flag", many("1", "0"), "int64"},
		{"day", many("2026-01-05"), "date"},
		{"day", many("2026-01-05", "2026-13-05"), ""},
		{"sent", many("2026-01-05T10:00:00Z", "2026-01-05 10:00:00.5"), "timestamp"},
		{"sent", many("2026-01-05T10:00:00Z", "2026-01-05"), ""},
		{"session_time", many("1767607200000"), "timestamp"},
		{"session_time", many("1767607200000", "0"), ""},
		{"text", many("a", "b"), ""},
		{"empty", many(""), ""},
	} {
		col := column.Column{Type: column.StringType, Dict: column.NewDict()}
		for _, v := range c.values {
			col.AppendBytes([]byte(v))
		}
		got := ""
		if id, n := guess(c.name, &col); n > 0 {
			got = column.Type{ID: id}.String()
		}
		if got != c.want {
			t.Errorf("%s %s: %q, not %q", c.name, fmt.Sprint(c.values[:3]), got, c.want)
		}
	}
}
