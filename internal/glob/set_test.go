package glob

import "testing"

// A set matches what one of its patterns does.
func TestSet(t *testing.T) {
	patterns := []Pattern{"plan", "shop_*", "a[[]b", "", "x?"}
	s := NewSet(patterns)
	for _, name := range []string{"plan", "Plan", "plans", "shop_", "shop_name", "a[b", "a[[]b", "", "x", "xy", "xyz"} {
		want := false
		for _, p := range patterns {
			want = want || p.Match(name)
		}
		if got := s.Match(name); got != want {
			t.Errorf("%q: %v instead of %v", name, got, want)
		}
	}
	if NewSet(nil).Match("") {
		t.Error("no pattern matches")
	}
}
