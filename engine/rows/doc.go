// Package rows holds the rows of a table between their source and their
// partition files: built in memory, sorted by (partition, raw user, key),
// spilled to scratch files when they are too many, and read back in that order.
//
// It promises that memory stays within what its owner allows and that the
// order is total. It never decides which row is right: see package merge.
package rows
