// Package commit makes what is staged for a table the table's state, and makes it
// visible: one transaction that holds the whole new record with a list of moves and
// removals, then that list, then its removal. Recovery is the tail of the same code.
//
// It promises that before the transaction nothing is seen of a change (C4), that after
// it whatever happens the change can be finished from the staged bytes alone (C3), and
// that no staged file goes that a list still names (C9). It never decides what a table
// holds or whether a change may be made, and reads neither the source nor the
// configuration. The invariants C1 to C16 are those of docs/architecture.md.
package commit
