// Package ingest turns part files into sorted segments of rows: it opens them, binds
// their fields to the columns of a table, finds out where each row belongs, encodes it,
// and decodes encoded rows when they are written. It reads files of the user mapping by
// the same binding and casts.
//
// A file that cannot be used is a partfile.FileError; rows without their keys are set apart for
// the quarantine. The package writes scratch files and nothing else, and never decides
// which of several rows counts.
package ingest
