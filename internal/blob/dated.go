package blob

import (
	"context"
	"os"
)

// Dater is what a Store can do beyond its interface: say when anything about a
// file changed last, which nobody can set.
type Dater interface {
	// ListDated is List. changed has these times, in ns, of the files of which they
	// are known.
	ListDated(ctx context.Context, prefix string) (list []Object, changed map[string]int64, err error)
}

// ListDated lists with the times of last changes where a store has them.
func ListDated(ctx context.Context, s Store, prefix string) (list []Object, changed map[string]int64, err error) {
	if d, ok := s.(Dater); ok {
		return d.ListDated(ctx, prefix)
	}
	list, err = s.List(ctx, prefix)
	return list, nil, err
}

// ListDated gives the times where the file system keeps them reliably.
func (l *Local) ListDated(ctx context.Context, prefix string) (list []Object, changed map[string]int64, err error) {
	if err = CheckPrefix(prefix); err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error {
			list, changed, err = walkDated(ctx, root, prefix)
			return err
		})
	}
	if err != nil {
		return nil, nil, wrap(err, "list", l.dir, prefix)
	}
	sortByKey(list)
	return list, changed, nil
}
