// Package verify proves that a lake holds what its source says: it computes the content of
// tables again, of all users or of a sample, and compares it with the files that are
// published, row by row.
//
// It promises that rows and values are what the contract makes of the dumps that the state
// has as applied and of the user mapping of the dump that the table stands at, computed
// straightforwardly: which row wins, who is one user, how users are merged is written here
// again, and shares no code with what applies do. It shares with them how part files are
// decoded, how fields are bound to columns, casts, masks, and how data files are read; of
// these it proves nothing. It trusts the state for which dumps are applied, which files are
// live and what the columns of a table are. Of what the source no longer has it proves
// nothing, and says so. It takes no lock, writes nothing but scratch files, and keeps within
// the memory of its budget, the user mapping aside.
package verify
