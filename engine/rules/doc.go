// Package rules says what the content of a table is, as section 2 of the contract
// does: which dumps count, which row of an event is right, which row of a user supplies
// a value, what the columns of a table are and where they stand in a batch. Its
// functions are pure: they take values and columns and return them. It reads no file,
// knows no state and no sink, and starts nothing.
//
// In the order of the contract: versions (row.go) and live dumps (live.go); winners of
// events (events.go) and of users (users.go, notes.go); columns and their names
// (schema.go, columnregistry.go, names.go, listed.go), and where they are (layout.go);
// types (cast.go); what does not cast (rescue.go); partitions (partition.go). Whom a user
// stands for is said by package identity.
package rules
