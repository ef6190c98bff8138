// Package exectest judges executors: what every one of them has to do, played through
// the engine in the sequence of a command, and compared with the model.
//
// It promises that an executor that passes brings tables to what the contract says, in
// one process or several, that it works from what a task holds and nothing else, ends
// when it is told to, and fails with the errors that the engine goes by. It is for tests
// only. It knows no executor, and looks at none from the inside.
package exectest
