// Package states opens states, and carries out what commands do with a state as a whole:
// it tries it, moves it to another place, backs it up and restores it, and tells who has
// its lock.
//
// It promises that a state is refused that is not where the sinks say, and that a killed
// move or restore is finished by starting it again. It never changes what a state
// says of a table.
package states
