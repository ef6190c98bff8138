// Package rules says what the content of a table is, as section 2 of the contract
// does: which dumps count, which row of an event is right, which row of a user supplies
// a value, what the columns of a table are and where they stand in a batch. Its
// functions are pure: they take values and columns and return them. It reads no file,
// knows no state and no sink, and starts nothing.
package rules
