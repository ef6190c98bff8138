package scaffold

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// reserved is the one folder that no table may have.
const reserved = "_reconcile"

// parted gives folders of their own to tables that are held otherwise: those whose names
// differ by case only, but for one, and one whose name is reserved. The one that keeps
// its name is that which came last.
func (s *Survey) parted() {
	groups, used := map[string][]*Table{}, map[string]bool{reserved: true}
	for _, t := range s.Tables {
		used[feed.Fold(t.Name)] = true
		if t.Role != Keyless {
			groups[feed.Fold(t.Name)] = append(groups[feed.Fold(t.Name)], t)
		}
	}
	for _, t := range s.Tables {
		group := groups[feed.Fold(t.Name)]
		delete(groups, feed.Fold(t.Name))
		slices.SortStableFunc(group, func(a, b *Table) int {
			return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(b.LastDump, a.LastDump), cmp.Compare(b.Dumps, a.Dumps))
		})
		for i, other := range group {
			if i == 0 && feed.Fold(other.Name) != reserved {
				continue
			}
			if other != group[0] {
				other.Beside = group[0].Name
			}
			if !glob.Pattern(pattern(other.Name)).IsGlob() {
				other.As = free(other.Name, used)
			}
		}
	}
}

// rank puts tables first that have a meaning of their own, and those that have rows.
func rank(t *Table) int {
	switch t.Role {
	case Special:
		return 2
	case Taken:
		return 1
	}
	return 0
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// free returns a name for a folder that nothing else has.
func free(name string, used map[string]bool) string {
	base := strings.Trim(notInNames.ReplaceAllString(name, "_"), "_")
	if base == "" {
		base = "table"
	}
	for n := 2; ; n++ {
		if as := fmt.Sprintf("%s_%d", base[:min(len(base), 100)], n); !used[feed.Fold(as)] {
			used[feed.Fold(as)] = true
			return as
		}
	}
}
