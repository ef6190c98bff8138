package blob

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

func sizesBelow(ctx context.Context, root *os.Root, keys []string) ([]int64, error) {
	out, w := noSizes(keys), newWalker(ctx, root)
	err := w.in("", func(fd int) (err error) {
		if w.brief, err = keepsTimes(fd); err != nil {
			return err
		}
		for i, key := range keys {
			if err := ctx.Err(); err != nil {
				return err
			}
			var st unix.Stat_t
			if w.statAt(fd, key, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
				out[i] = st.Size
			}
		}
		return nil
	})
	return out, err
}
