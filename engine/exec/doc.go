// Package exec says what an executor of table steps is given and what it gives back.
//
// A Task is all that decides the new content of one table, as data: it can be
// written down, sent to another process and read there equal. What a task must not
// hold, as keys of masks and the means to reach the places that it names, is an Env,
// given beside it. A Result is data, too: what was staged, or why nothing was.
//
// An executor stages files and objects and returns. It never changes what a reader of
// a sink can see, never writes the records of the state, and removes nothing.
package exec
