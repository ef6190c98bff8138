// Package mappingfile reads the user mapping that a dump delivers. It never decides which
// mapping counts.
package mappingfile
