//go:build unix

package blob

import (
	"io/fs"
	"os"
	"syscall"
)

// openNow keeps opening from waiting.
const openNow = syscall.O_NONBLOCK

// inode returns the inode number of a file.
func inode(info fs.FileInfo) (uint64, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(st.Ino), true
}

// syncFolder makes the names in an open folder durable.
func syncFolder(d *os.File) error { return d.Sync() }
