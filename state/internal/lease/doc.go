// Package lease keeps the lease of a state in an object store: the right to
// write it, which one process at a time has, and which ends by itself when its
// holder does not renew it.
//
// What it promises:
//
//   - Of any number of processes that acquire it one succeeds, and no two take
//     themselves for its holder at one time (Held.Valid). A lease that is removed
//     or replaced by hand is beyond that; the fence is for it.
//   - No clock is compared with another. Who waits for a holder that went away
//     takes the time that has passed from the store's clock alone, by two values of
//     one answer. The holder counts from before the last renewal that succeeded was
//     sent, by his monotonic and by his wall clock, whichever says more.
//   - The generation grows with each holder. Every write of the object has other
//     bytes than all before it, as an ETag is a digest of what was written.
//   - Who took the lease over, and did not get it by a release, owes a fence: an
//     empty record of the state, written before anything else is done. Until it
//     stands the lease is not released, so that the next holder owes it, too.
//   - Damage is reported, never guessed at.
//
// What it never does: remove the object, write it without a condition, or know
// what a record of the state is.
package lease
