package blob

import (
	"os"

	"golang.org/x/sys/unix"
)

// device is what files can be renamed within. Of two mounts of one file system that
// is either.
type device struct {
	major, minor uint32
	mount        uint64
}

// identify tells on which device an open folder is. Kernels before 5.8 do not number
// mounts.
func identify(f *os.File) (device, error) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_TYPE|unix.STATX_MNT_ID, &st)
	if err != nil {
		return device{}, &os.PathError{Op: "statx", Path: f.Name(), Err: err}
	}
	d := device{major: st.Dev_major, minor: st.Dev_minor}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		d.mount = st.Mnt_id
	}
	return d, nil
}
