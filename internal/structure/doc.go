// Package structure holds tests of the structure of this module: which package
// may import which, how many files of a package may depend on each other in a
// circle, and how many methods a type may have. Others see that commands which name
// tests name some that exist. It has no code of its own.
package structure
