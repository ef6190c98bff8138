package sinks_test

import (
	"math"
	"testing"

	"reconcile/sinks"
)

func TestAttemptNames(t *testing.T) {
	for _, g := range []uint64{0, 1, 1000, math.MaxUint64} {
		a, b := sinks.AttemptName(g), sinks.AttemptName(g)
		if a == b || sinks.AttemptGeneration(a) != g {
			t.Errorf("generation %d gives %s and %s", g, a, b)
		}
	}
	for _, name := range []string{"", "remove", "0123456789abcdef", "x-1", "-1", "99999999999999999999-a"} {
		if g := sinks.AttemptGeneration(name); g != 0 {
			t.Errorf("%q is of generation %d", name, g)
		}
	}
}
