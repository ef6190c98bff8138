//go:build !linux

package blob

import (
	"context"
	"os"
)

// walk returns the objects below a folder, in no order.
func walk(ctx context.Context, root *os.Root, folder string) ([]Object, error) {
	return walkNames(ctx, root, folder, nil)
}
