package definition

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"reconcile/internal/feed"
)

// CheckKind is what a check looks at.
type CheckKind string

// The kinds of checks. All but Freshness judge a step of a table.
const (
	NotNull        CheckKind = "not_null"
	AcceptedValues CheckKind = "accepted_values"
	Unique         CheckKind = "unique"
	RowCount       CheckKind = "rows"
	KnownUsers     CheckKind = "users"
	Freshness      CheckKind = "freshness"
)

// Check says what the rows of a table must be like to be published. It says nothing of the
// table's content: what is accepted gives the content that it gives without a check.
type Check struct {
	Name  string
	Kind  CheckKind
	Warns bool // a step that fails is committed all the same
	// Columns are names of columns, delivered or published: each of NotNull, the one of
	// AcceptedValues, those that together tell rows apart of Unique.
	Columns []string
	Values  []string // of AcceptedValues
	// Min and Max are parts of the median of earlier dumps, of RowCount; nil for any.
	Min, Max *Share
	// MaxRows is how many rows may fail, of KnownUsers, and MaxShare which part of those that
	// are judged; nil where MaxRows counts.
	MaxRows  int64
	MaxShare *Share
	MaxAge   time.Duration // of Freshness
}

// JudgesSteps reports whether a step of the table is judged by the check.
func (c *Check) JudgesSteps() bool { return c.Kind != Freshness }

// ReadsUsers reports whether the check looks for rows of the table of users.
func (c *Check) ReadsUsers() bool { return c.Kind == KnownUsers }

// Text says what the check asks for, as the configuration writes it. A check of the same name
// and text judges the same in the same way.
func (c *Check) Text() string {
	quoted := func(list []string) string {
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = fmt.Sprintf("%q", s)
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	switch c.Kind {
	case AcceptedValues:
		return fmt.Sprintf("accepted_values { column = %q, values = %s }", c.Columns[0], quoted(c.Values))
	case RowCount:
		var parts []string
		if c.Min != nil {
			parts = append(parts, fmt.Sprintf("min = %q", c.Min))
		}
		if c.Max != nil {
			parts = append(parts, fmt.Sprintf("max = %q", c.Max))
		}
		return "rows { " + strings.Join(parts, ", ") + " }"
	case KnownUsers:
		if c.MaxShare != nil {
			return fmt.Sprintf("users { max = %q }", c.MaxShare)
		}
		return fmt.Sprintf("users { max = %d }", c.MaxRows)
	case Freshness:
		return fmt.Sprintf("freshness = %q", c.MaxAge)
	}
	return string(c.Kind) + " = " + quoted(c.Columns)
}

// Allows reports whether a check of KnownUsers lets so many rows pass, of so many.
func (c *Check) Allows(failed, of int64) bool {
	if c.MaxShare != nil {
		return !c.MaxShare.IsExceeded(failed, of)
	}
	return failed <= c.MaxRows
}

// AllowsRows reports whether a check of RowCount lets a dump of so many rows pass, where
// those before it have a median, given as twice its value. Of a median of none nothing
// can be said.
func (c *Check) AllowsRows(rows, twiceMedian int64) bool {
	switch {
	case twiceMedian == 0:
		return true
	case c.Max != nil && c.Max.IsExceeded(2*rows, twiceMedian):
		return false
	}
	return c.Min == nil || !c.Min.IsAbove(2*rows, twiceMedian)
}

// IsAbove reports whether the share of a whole number of things is more than a part of them.
func (s Share) IsAbove(part, whole int64) bool {
	l, r := new(big.Int).SetInt64(part), new(big.Int).SetInt64(whole)
	l.Mul(l, big.NewInt(int64(Whole)))
	return l.Cmp(r.Mul(r, big.NewInt(int64(s)))) < 0
}

// IsColumn reports whether a check's name for a column is that of a delivered one, or of the
// column that it becomes.
func (t *Table) IsColumn(name, delivered string) bool {
	if name == delivered {
		return true
	}
	return !feed.IsExact(delivered) && (t.ID(name) == t.ID(delivered) || feed.Fold(name) == feed.Fold(t.Published(delivered)))
}
