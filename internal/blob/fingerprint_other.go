//go:build !linux

package blob

import (
	"context"
	"os"
	"time"
)

func fingerprintFolders(context.Context, *os.Root, string, []string, time.Duration) (string, error) {
	return "", nil
}

func listSince(ctx context.Context, root *os.Root, prefix, _ string, _ []Pinned) ([]Object, bool, error) {
	list, err := walk(ctx, root, prefix)
	return list, false, err
}
