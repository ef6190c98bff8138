// Package exec says what an executor of table steps is given and what it gives back.
//
// A Task is all that decides the new content of one table, as data: it can be
// written down, sent to another process and read there equal. What a task must not
// hold, as keys of masks and the means to reach the places that it names, is an Env,
// given beside it. A Result is data, too. It has one of four outcomes: what was staged;
// the part file that holds the table; that there is nothing to do; or what the task lacked,
// as only reading tells: whoever made it makes it again, with that. The last one ends no
// step: an executor cannot go on by itself, as the columns of a table are resolved by whoever
// knows its configuration.
//
// An executor stages files and objects and returns. It never changes what a reader of
// a sink can see, never writes the records of the state, and removes nothing.
package exec
