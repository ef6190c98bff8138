// Package index is the posting index of a table: for every raw user the
// partitions that hold rows of it, with a 32-bit hash of each row's key. It
// answers at once "has this key been seen?" and "where are this user's rows?".
//
// The index is a set of immutable sorted runs, each one object of the state. A
// run is written once in ascending order (Writer, Sorter), read by range
// (Open, Lookup, Scan), and holds a filter over its users, so that users it has
// never seen cost no read.
//
// Invariant I2: the index knows every key of B, the newest row per key and raw
// user of a table. A stale entry costs a read; a missing one is corruption. So
// a run may name places where a row no longer is, but whatever was added is
// found again or the reader gets an error: filters never deny a user of the
// run, every byte is under a checksum, and input out of order is refused. A
// match of hashes proves nothing; callers verify it on the real key (I3).
//
// It promises memory that does not grow with the run but for its directory and
// at most 16 MiB of filters: a writer takes about 20 MB, a scan or a look-up
// about 1.5 MB. It never names files, only partition ordinals, which mean
// something within one generation of a table.
package index
