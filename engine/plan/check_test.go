package plan_test

import (
	"testing"

	"reconcile/engine/plan"
)

func TestWhatChecksFound(t *testing.T) {
	for _, c := range []struct {
		kind           string
		failed, judged int64
		want           string
	}{
		{"not_null", 1, 1, "check.c, asks: 1 of 1 row fails"},
		{"not_null", 1, 5, "check.c, asks: 1 of 5 rows fails"},
		{"not_null", 1234, 5678, "check.c, asks: 1,234 of 5,678 rows fail"},
		{"rows", 1, 1, "check.c, asks: 1 of 1 dump fails"},
	} {
		f := plan.FailedCheck{Check: "c", Kind: c.kind, Text: "asks", Failed: c.failed, Judged: c.judged}
		if got := f.Found(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
