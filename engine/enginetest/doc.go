// Package enginetest holds what the tests of the engine and of its executors have in
// common: dumps that are written out by hand, an apply as the command makes it, the files
// of a lake and a state, and the comparison of a lake with the model. It does not import
// the engine, so that the engine's own tests can use it.
package enginetest
