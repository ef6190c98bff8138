//go:build !unix

package blob

import (
	"io/fs"
	"os"
)

// inode returns nothing: size and time must do.
func inode(fs.FileInfo) (uint64, bool) { return 0, false }

// syncFolder does nothing: folders cannot be synchronised here.
func syncFolder(*os.File) error { return nil }
