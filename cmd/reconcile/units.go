package main

import (
	"fmt"
	"time"

	"reconcile/internal/amount"
	"reconcile/internal/definition"
)

// size writes a number of bytes in decimal units.
func size(n int64) string {
	return definition.Bytes(n).String()
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
		n := fmt.Sprintf("%s %s", amount.Number(int64(d/u.unit)), u.name)
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
