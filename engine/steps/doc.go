// Package steps makes the task of a planned step from the state as it is then, has it
// carried out, and says what is committed of the result. It reads headers of part files
// for the columns that they bring, and never writes to a sink or a state.
package steps
