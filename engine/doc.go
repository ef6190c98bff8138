// Package engine keeps curated tables equal to what an export says they should
// be.
//
// Plan is a pure read that returns a value; Apply consumes a plan once. Apply
// promises that a table changes in one transaction of the state, that whatever
// interrupts it the next apply finishes or discards it, and that the result is
// that of an apply that was never interrupted. The engine never prints, never
// exits, and never reads a file of the source that no manifest lists.
package engine
