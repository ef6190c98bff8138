package definition

import (
	"math"
	"testing"
)

func TestParseShare(t *testing.T) {
	for text, want := range map[string]Share{"0%": 0, "50%": 500_000, " 1 % ": 10_000, "0.5%": 5_000, "99.9999%": 999_999, "100%": Whole, "100.0000%": Whole, ".5%": 5_000} {
		got, err := ParseShare(text)
		if err != nil || got != want {
			t.Errorf("%q is %d: %v", text, got, err)
		}
		if again, err := ParseShare(got.String()); again != got || err != nil {
			t.Errorf("%q is written as %q, and read back as %d: %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "%", "50", "-1%", "101%", "100.0001%", "0.00001%", "1/2%", "1e1%", "fifty%", "5%%", "1.2.3%", "."} {
		if got, err := ParseShare(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

// More than the share exceeds it, exactly the share does not, however many there are.
func TestShareIsExceeded(t *testing.T) {
	half := Share(500_000)
	for _, c := range []struct {
		share       Share
		part, whole int64
		want        bool
	}{
		{half, 50, 100, false}, {half, 51, 100, true}, {half, 51, 101, true}, {half, 50, 101, false}, {0, 0, 100, false}, {0, 1, 100, true},
		{Whole, 100, 100, false}, {half, 0, 0, false}, {half, math.MaxInt64/2 + 1, math.MaxInt64, true}, {half, math.MaxInt64 / 2, math.MaxInt64, false},
	} {
		if got := c.share.IsExceeded(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d exceeds %s: %v", c.part, c.whole, c.share, got)
		}
	}
}

func TestJudgesResyncs(t *testing.T) {
	all, most := Whole, Whole-1
	for want, guards := range map[bool][]Guard{
		true:  {{HoldsEmpty: true}, {MaxRemovedRows: &most}, {HoldsEmpty: true, MaxRemovedRows: &all}},
		false: {{}, {MaxRemovedRows: &all}},
	} {
		for _, g := range guards {
			if g.JudgesResyncs() != want {
				t.Errorf("%+v: %v", g, !want)
			}
		}
	}
}
