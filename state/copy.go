package state

import (
	"errors"
	"io"
)

// Copy is the content of a state as of one moment: a file in the form of a local
// state, without what was deleted from it, and a Snapshot of it, whose objects stay
// until Close as those of Load do.
type Copy struct {
	*Snapshot
	File CopiedFile
	By   string // version of the program that made the copy
}

// CopiedFile is a state as a file that only this process sees.
type CopiedFile interface {
	io.ReaderAt
	io.Closer
	// Size is the number of bytes, 0 where there is no state.
	Size() int64
	// Small returns the content of an object that is inside the state, nil if there is no
	// such.
	Small(digest string) ([]byte, error)
}

// Close gives the file up and lets the collector go on.
func (c *Copy) Close() error {
	return errors.Join(c.File.Close(), c.Snapshot.Close())
}
