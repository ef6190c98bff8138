package near

import "testing"

func TestName(t *testing.T) {
	known := []string{"checkout", "pageviews", "lake", "a"}
	for given, want := range map[string]string{"chekout": "checkout", "Lake": "lake", "pageview": "pageviews", "zzz": "", "b": "a", "xy": ""} {
		if got := Name(given, known); got != want {
			t.Errorf("nearest to %q is %q, want %q", given, got, want)
		}
	}
}
