package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"reconcile/internal/definition"
)

// count writes a number with thousands separators.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// plural writes a number and what it counts.
func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if stem, ok := strings.CutSuffix(one, "y"); ok {
		return count(n) + " " + stem + "ies"
	}
	return count(n) + " " + one + "s"
}

// size writes a number of bytes in decimal units.
func size(n int64) string {
	return definition.Bytes(n).String()
}

// idList names dumps: all of a few, the ends of many.
func idList(ids []int64) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	text := func(ids []int64) string {
		parts := make([]string, len(ids))
		for i, id := range ids {
			parts[i] = strconv.FormatInt(id, 10)
		}
		return strings.Join(parts, ", ")
	}
	switch n := len(ids); {
	case n == 1:
		return "dump " + text(ids)
	case n <= 8:
		return "dumps " + text(ids)
	default:
		return fmt.Sprintf("dumps %s, ... %s (%d)", text(ids[:3]), text(ids[n-1:]), n)
	}
}

// span writes a duration in its two greatest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, u := range []struct {
		unit, next time.Duration
		name, then string
	}{{day, time.Hour, "day", "h"}, {time.Hour, time.Minute, "h", "min"}, {time.Minute, time.Second, "min", "s"}} {
		if d < u.unit {
			continue
		}
		n := fmt.Sprintf("%s %s", count(int64(d/u.unit)), u.name)
		if u.unit == day && d/day > 1 {
			n += "s"
		}
		if rest := d % u.unit / u.next; rest > 0 {
			n += fmt.Sprintf(" %d %s", rest, u.then)
		}
		return n
	}
	if d > 0 && d < time.Second {
		return "less than a second"
	}
	return fmt.Sprintf("%d s", max(0, d/time.Second))
}

// clock writes a time as people read it, to the minute.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
