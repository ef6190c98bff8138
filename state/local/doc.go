// Package local keeps a state in a file of this machine, beside which a folder, named
// after it with ".objects" behind, holds the bulky objects.
//
// The lock is a lock on a file of its own that dies with its process. Readers take no
// part in it: the state file itself is open only for the milliseconds of one read or one
// transaction. A first transaction makes the file under another name and renames it; a
// later one is a transaction of bbolt on a file that was proved to be sound.
//
// A folder of objects is written to, and objects in it are removed, only while its marker
// names the lineage of the state, and never while somebody has a Snapshot open.
package local
