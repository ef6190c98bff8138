//go:build linux && !amd64 && !arm64

package blob

import "golang.org/x/sys/unix"

// statBriefly is unix.Fstatat without following links. The name ends with a zero.
func statBriefly(fd int, name []byte, st *unix.Stat_t) error {
	return unix.Fstatat(fd, string(name[:len(name)-1]), st, unix.AT_SYMLINK_NOFOLLOW)
}
