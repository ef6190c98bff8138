// Package near finds the name that somebody most likely meant.
package near

import (
	"strings"

	"github.com/agext/levenshtein"

	"reconcile/internal/feed"
)

// Name returns the known name most like the given one, "" when none is near.
func Name(given string, known []string) string {
	best, found := 3, ""
	if n := len(given); n <= 3 {
		best = 2
	}
	for _, k := range known {
		if d := levenshtein.Distance(feed.Fold(given), feed.Fold(k), nil); d < best && k != given {
			best, found = d, k
		}
	}
	return found
}

// Key returns the field that is most like a key, "" when none is near: first one that
// differs in case and in what separates words only.
func Key(key string, fields []string) string {
	for _, f := range fields {
		if letters(f) == letters(key) {
			return f
		}
	}
	return Name(key, fields)
}

// letters is a name without case and without what separates words.
func letters(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(feed.Fold(name))
}
