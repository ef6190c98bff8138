package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconcile/internal/amount"
)

// DumpNames names dumps: all of a few, the ends of many.
func DumpNames(ids []int64) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	text := func(ids []int64) string {
		parts := make([]string, len(ids))
		for i, id := range ids {
			parts[i] = strconv.FormatInt(id, 10)
		}
		return strings.Join(parts, ", ")
	}
	switch n := len(ids); {
	case n == 1:
		return "dump " + text(ids)
	case n <= 8:
		return "dumps " + text(ids)
	default:
		return fmt.Sprintf("dumps %s, ... %s (%s)", text(ids[:3]), text(ids[n-1:]), amount.Number(n))
	}
}

// DumpsAre names dumps as the subject of a sentence about what they are.
func DumpsAre(ids []int64) string {
	if len(ids) == 1 {
		return DumpNames(ids) + " is"
	}
	return DumpNames(ids) + " are"
}
