// Package state keeps what reconcile knows between two runs: records in the form of
// one bbolt file, and immutable objects that are too bulky for it.
//
// A Store is a state wherever it lives; a Backend is such a place. A transaction (Tx)
// is data: what it changes, behind which serial, of which lineage. The local backend
// applies it to a file, beside which a folder, named after it with ".objects" behind,
// holds the bulky objects.
//
// What it promises:
//
//   - A transaction (Lock.Update) is the commit point: durable when it returns,
//     whole or not at all after a crash at any instant.
//   - One writer: Lock is a lock on a file of its own that dies with its
//     process. Readers take no part in it: the state file itself is open only
//     for the milliseconds of one read or one transaction.
//   - Damage is reported, never trusted and never a crash: a cut file, zeroed
//     pages, flipped bits, missing keys. The structure of the file is proved
//     before anything is believed (package boltfile), every value carries a
//     checksum over its bucket, key and content, and every bucket a count and a
//     digest. A file that is not sound is never written to.
//   - A folder of objects is written to, and objects in it are removed, only while
//     its marker names the lineage of the state.
//   - An object is durable before the transaction that names it, and is removed
//     only by the holder of the lock while nobody reads.
//
// What it never does: repair or overwrite a damaged file, delete an object that
// a reader may need, keep a secret, or decide what a record means: that is for
// the engine.
package state
