// Package chain keeps the history of a state in an object store: a log of
// records, each of which names its predecessor by digest, checkpoints of the
// whole, and objects that records and checkpoints name. What a record, a
// checkpoint or an object means is for the caller: here they are bytes.
//
//	log/<serial>                           one record, 20 digits
//	checkpoints/<serial>-<digest>          the whole state as of that record
//	objects/<generation>-<sha256>-<nonce>  bytes that are too bulky for a record
//
// What it promises:
//
//   - A record is committed by one conditional create of its slot in the log. Of
//     several that try one slot one wins, and nobody overwrites it.
//   - Done and Refused are said only of what cannot change any more, whatever
//     requests are still under way. All else is Unknown.
//   - A serial is used once. A slot that was emptied lies at or below a
//     checkpoint for good, and what a late request puts there is never read as
//     part of the chain.
//   - A reader needs no lock. It believes a head when nothing stands at the next
//     serial and a listing of the checkpoints, asked for after that, shows none
//     above. Else it begins again at the newest checkpoint.
//   - Damage is told from a chain that moved on: it is what a second try from the
//     newest checkpoint finds, too. A damaged newest checkpoint is passed over:
//     the older one and the log give the same state.
//   - A checkpoint vouches for what lies a checkpoint below it once it is a day
//     old, by the store's clock. Nothing is removed before that but by Expunge,
//     which is for content that must not stay.
//   - The name of an object is used by one attempt to write it, and begins with
//     the generation of the lease under which it was made. An object of a greater
//     generation than the caller's is never removed.
//
// What it never does: take or judge a lease, compare the local clock with the
// store's, remove what it did not make, or repair.
//
// What the caller keeps: it appends, checkpoints and collects only under the
// lease, and collects only behind a record of its own. It appends behind a head
// that Load or its own Append gave it. The first record of a chain has serial 1,
// or any other if a checkpoint of it stands before anything is appended to it.
package chain
