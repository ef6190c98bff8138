package planner

import "reconcile/engine/dump"

// Delivery is what one dump lists of a table.
type Delivery struct {
	Dump    int64
	Entry   *dump.Entry
	Skipped bool
	// Again says that the table has the dump, and that a file of it has grown since.
	Again bool
	// Pins are those of its files, by key, as the plan saw them; nil if it did not look.
	Pins map[string]string
}
