// Package backup makes backups of a state, proves them and restores one.
//
// A backup is a folder, here or in a bucket, in the same form of every kind of state:
//
//	backup.json          what it holds: written last, so that nothing counts before
//	state/<sha256>.db    the state, in the form of a local one
//	objects/<sha256>     its bulky objects
//
// Backups that a state keeps of itself share the objects: there they lie in ../objects.
//
// It promises that the backup which was there stands until the new one is whole, that
// every object of a backup was proved by its digest, and that a restore is one
// transaction. It never changes a state but by that transaction, and never removes from a
// place what no backup wrote.
package backup
