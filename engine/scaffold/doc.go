// Package scaffold proposes the configuration of a source: the tables that its manifests
// deliver, which of them can be kept, and types of columns, guessed from a sample.
//
// It promises that what it writes is a configuration with the very names that were
// delivered, whatever characters they have, that every guess holds for all values of the
// sample and is marked as one, and that it reads a bounded part of each table. It never
// decides anything that a configuration does not show, and it replaces no file.
package scaffold
