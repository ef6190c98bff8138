// Package ingest turns part files into sorted segments of rows: it opens them, finds out
// where each row belongs and packs it, and remembers how packed rows are decoded when they
// are written.
//
// A file that cannot be used is a partfile.FileError; rows without their keys are set apart
// for the quarantine. The package writes scratch files and nothing else, and never decides
// which of several rows counts.
package ingest
