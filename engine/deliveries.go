package engine

import "reconcile/engine/dump"

// delivery is what one dump lists of a table.
type delivery struct {
	dump    int64
	entry   *dump.Entry
	skipped bool
	// again says that the table has the dump, and that a file of it has grown since.
	again bool
	// pins are those of its files, by key, as the plan saw them; nil if it did not look.
	pins map[string]string
}
