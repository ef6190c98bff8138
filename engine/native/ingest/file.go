package ingest

import "reconcile/engine/partfile"

// File is one part file of a table in a dump.
type File struct {
	Dump       int64
	Rank       int // of the dump, for versions
	Index      int // in the manifest
	Key        string
	Pin        string   // that the plan saw, empty for any
	Again      bool     // of a dump that the table has: its values were judged
	Columns    []string // of the manifest
	HasColumns bool
	Claims     partfile.Claims // of its entry
}

// unusable says of a file that it cannot be used.
func (f *File) unusable(why error) *partfile.FileError {
	return &partfile.FileError{Dump: f.Dump, Key: f.Key, Pin: f.Pin, Err: why}
}
