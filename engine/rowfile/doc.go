// Package rowfile reads rows of data files and of objects beside the state, and writes
// such objects. It never decides which rows belong there.
package rowfile
