package blob

import (
	"context"
	"os"
)

// Sizer is what a Store can do beyond its interface: tell the sizes of many objects
// faster than one by one.
type Sizer interface {
	// Sizes returns the sizes of objects, -1 of those that it cannot tell. On the
	// way to one a link may lead out of the store. So a size that is known says that
	// an object is as it was; about any other one only Stat is to be believed.
	Sizes(ctx context.Context, keys []string) ([]int64, error)
}

// Sizes asks a store that can tell sizes. Any other one cannot tell any.
func Sizes(ctx context.Context, s Store, keys []string) ([]int64, error) {
	if z, ok := s.(Sizer); ok {
		return z.Sizes(ctx, keys)
	}
	return noSizes(keys), nil
}

func noSizes(keys []string) []int64 {
	out := make([]int64, len(keys))
	for i := range out {
		out[i] = -1
	}
	return out
}

// Sizes looks at files from the folder of the store.
func (l *Local) Sizes(ctx context.Context, keys []string) (sizes []int64, err error) {
	for _, key := range keys {
		if err := CheckKey(key); err != nil {
			return nil, wrap(err, "look at", l.dir, key)
		}
	}
	err = l.withRoot(ctx, func(root *os.Root) error {
		sizes, err = sizesBelow(ctx, root, keys)
		return err
	})
	return sizes, wrap(err, "look into", l.dir, "")
}
