package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"reconcile/internal/errclass"
)

// Mover is what a Store can do beyond its interface: tell whether Move can bring
// objects from one folder to others, before it has to.
type Mover interface {
	// CanMove fails with ErrDevice if it cannot. Folders need not exist.
	CanMove(ctx context.Context, from string, to []string) error
}

// CanMove asks a store that can tell; any other is believed to move everywhere.
func CanMove(ctx context.Context, s Store, from string, to []string) error {
	if m, ok := s.(Mover); ok {
		return m.CanMove(ctx, from, to)
	}
	return nil
}

// ErrDevice reports a folder of a local store to which no file of the rest of the
// store can be moved: a rename ends at a mount.
var ErrDevice = errclass.New(errclass.FolderUnusable, "it is mounted by itself, or on another device than the rest, so that no file can be moved there at once: "+
	"unmount it, or mount that device elsewhere and give the table a sink of its own there")

// CanMove compares the devices of the folders or, of those that do not exist, of the
// nearest above them that do.
func (l *Local) CanMove(ctx context.Context, from string, to []string) error {
	at := from
	err := CheckPrefix(from)
	if err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error {
			home, _, err := deviceOf(root, from)
			if err != nil {
				return err
			}
			for _, at = range to {
				there, folder, err := deviceOf(root, at)
				if err != nil {
					return explain(root, at, err)
				}
				if there != home {
					at = folder
					return ErrDevice
				}
			}
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil // there is no folder of the store yet
		}
	}
	return wrap(err, "move files to", l.dir, at)
}

// deviceOf returns what a folder, or the nearest one above it, can be renamed within,
// and which it is.
func deviceOf(root *os.Root, folder string) (device, string, error) {
	for {
		f, err := root.Open(native(folder))
		if errors.Is(err, fs.ErrNotExist) && folder != "" {
			folder = Dir(folder)
			continue
		}
		if err != nil {
			return device{}, folder, err
		}
		d, err := identify(f)
		return d, folder, errors.Join(err, f.Close())
	}
}
