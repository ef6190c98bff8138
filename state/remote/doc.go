// Package remote keeps a state in an object store: package chain keeps its log, its
// checkpoints and its objects, package lease the right to write it.
//
// A transaction is one record, committed by one conditional request. A reader takes the
// newest checkpoint, or what a cache of this machine has, and the records behind it; it
// needs no lock. A holder whose lease is lost commits nothing more, and is told to whom.
// Where the outcome of a commit is unknown the session does nothing more, and the next
// one finds out.
//
// It never trusts a cache, a checkpoint or a record that it has not proved.
package remote
