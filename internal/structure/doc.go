// Package structure holds tests of the structure of this module: which package
// may import which, how many files of a package may depend on each other in a
// circle, and how many methods a type may have. Others check that commands name
// tests that exist, and that the documentation names each package. It has no code
// of its own.
package structure
