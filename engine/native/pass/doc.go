// Package pass is what the strategies share: a task that is opened, how its part files
// and stored rows are read, and the result while it is made. It decides nothing about
// rows.
package pass
