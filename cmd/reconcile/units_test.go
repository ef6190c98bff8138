package main

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Hour: "0 s", 0: "0 s", 900 * time.Millisecond: "less than a second", 59 * time.Second: "59 s", time.Minute: "1 min", 90 * time.Second: "1 min 30 s",
		time.Hour + 59*time.Second: "1 h", 6*time.Hour + 20*time.Minute: "6 h 20 min", day - time.Second: "23 h 59 min", day: "1 day",
		day + 59*time.Minute: "1 day", 2*day + 5*time.Hour: "2 days 5 h", 1500 * day: "1,500 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
