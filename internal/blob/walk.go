package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// walkNames appends the objects below folder to list. A folder inside it that
// disappears meanwhile has none. It is how folders are listed where there is no
// faster way.
func walkNames(ctx context.Context, root *os.Root, folder string, list []Object) ([]Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	infos, err := readDir(root, folder)
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		key := Join(folder, info.Name())
		switch mode := info.Mode(); {
		case mode.IsDir():
			list, err = walkNames(ctx, root, key, list)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			if err != nil {
				return nil, err
			}
		case isTemp(info.Name()):
		case mode&fs.ModeSymlink != 0:
			list = append(list, behindLink(root, object(key, info)))
		default:
			list = append(list, object(key, info))
		}
	}
	return list, nil
}

// readDir returns the entries of a folder as they are, links not followed.
func readDir(root *os.Root, folder string) ([]fs.FileInfo, error) {
	name := "."
	if folder != "" {
		name = filepath.FromSlash(folder)
	}
	d, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdir(-1)
}
