package engine

import (
	"fmt"
	"strings"

	"reconcile/engine/plan"
)

// refusesDestroy says why a table's step is refused without -allow-destroy.
func refusesDestroy(t *plan.Table) error {
	return fmt.Errorf("%w: table %s: the configuration destroys %v for good: allow it with -allow-destroy, or %s",
		plan.ErrRefused, t.Name, t.Destroys, strings.Join(t.Keeping, ", and "))
}
