package exec

import "testing"

// A table is wide by what its columns take of the memory for rows. Its rows are worked on
// by one goroutine.
func TestWideTables(t *testing.T) {
	for _, c := range []struct {
		name    string
		limits  Limits
		columns int
		wide    bool
		workers int
	}{
		{"few columns in little memory", Limits{Budget: NewBudget(64<<20, 4)}, 1000, false, 2},
		{"many columns in little memory", Limits{Budget: NewBudget(64<<20, 4)}, 10_000, true, 1},
		{"many columns in much memory", Limits{Budget: NewBudget(1<<30, 4)}, 10_000, false, 4},
		{"no limit", Limits{Budget: RowBudget(1<<20, 4)}, 10_000, false, 4},
		{"columns that are few by the threshold", Limits{Budget: RowBudget(1<<20, 4), WideFrom: 7}, 6, false, 4},
		{"columns that are many by the threshold", Limits{Budget: RowBudget(1<<20, 4), WideFrom: 7}, 7, true, 4},
	} {
		if got := c.limits.Wide(c.columns); got != c.wide {
			t.Errorf("%s: wide is %v", c.name, got)
		}
		if got := c.limits.ForColumns(c.columns).Budget.Workers(); got != c.workers {
			t.Errorf("%s: %d workers instead of %d", c.name, got, c.workers)
		}
	}
}
