// Package rows holds the rows of a table between their source and their
// partition files: built in memory, sorted by (partition, raw user, key),
// spilled to scratch files when they are too many, read back and merged in that
// order. A Decider has rules judge more rows than fit in memory.
//
// It promises that memory stays within what its owner allows and that the
// order is total. Which row is right it never decides itself: see package rules.
package rows
