//go:build !linux

package blob

import (
	"context"
	"os"
)

func walkDated(ctx context.Context, root *os.Root, folder string) ([]Object, map[string]int64, error) {
	list, err := walk(ctx, root, folder)
	return list, nil, err
}

// walk returns the objects below a folder, in no order.
func walk(ctx context.Context, root *os.Root, folder string) ([]Object, error) {
	return walkNames(ctx, root, folder, nil)
}
