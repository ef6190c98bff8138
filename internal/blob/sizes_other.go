//go:build !linux

package blob

import (
	"context"
	"os"
)

func sizesBelow(_ context.Context, _ *os.Root, keys []string) ([]int64, error) {
	return noSizes(keys), nil
}
