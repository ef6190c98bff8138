// Package state is what reconcile knows between two runs: records, and immutable objects
// that are too bulky for them.
//
// A Store is a state wherever it lives; a Backend is such a place: package local keeps a
// state in a file, package remote in an object store. A transaction (Tx) is data: what it
// changes, behind which serial, of which lineage. A Snapshot is the whole content at one
// transaction.
//
// What it promises, of every backend:
//
//   - A transaction (Lock.Update) is the commit point: durable when it returns,
//     whole or not at all after a crash at any instant.
//   - One writer: Lock is the one right to write. Readers take no part in it.
//   - Damage is reported, never trusted and never a crash: a cut file, zeroed
//     pages, flipped bits, missing keys.
//   - An object is durable before the transaction that names it, and is removed
//     only by the holder of the lock while nobody reads.
//
// What it never does: repair or overwrite a damaged state, delete an object that
// a reader may need, keep a secret, or decide what a record means: that is for
// the engine.
package state
