//go:build amd64 || arm64

package blob

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// statBriefly is unix.Fstatat without following links, for what a disk of this
// machine answers: the scheduler is not told of the call, which takes a tenth of the
// time of a call, but does nothing else on this thread until it returns. The name
// ends with a zero.
func statBriefly(fd int, name []byte, st *unix.Stat_t) error {
	_, _, e := unix.RawSyscall6(unix.SYS_NEWFSTATAT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(name))),
		uintptr(unsafe.Pointer(st)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
