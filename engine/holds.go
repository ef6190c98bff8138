package engine

import (
	"reconcile/engine/exec"
	"reconcile/engine/plan"
)

// holdOf is the hold of a table by a file.
func holdOf(table string, bad *exec.Held) plan.Hold {
	return plan.Hold{Table: table, Dump: bad.Dump, File: bad.File, Reason: bad.Reason}
}
