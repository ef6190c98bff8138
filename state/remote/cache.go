package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"reconcile/state/internal/files"
)

// cache keeps the newest replicas of states in object stores between two runs, in a
// folder for each place and in it a file for each lineage. It is only ever a shortcut:
// a file that does not lie on the log of the state, or is damaged, is passed over and
// replaced; a folder that cannot be used is as good as an empty one. Files are replaced
// by renaming, so that processes share them.
type cache struct {
	dir string // empty: there is none
}

// newCache returns the cache of a place in a folder; empty for none.
func newCache(folder, place string) cache {
	if folder == "" {
		return cache{}
	}
	sum := sha256.Sum256([]byte(place))
	return cache{filepath.Join(folder, hex.EncodeToString(sum[:8]))}
}

// temp returns a folder for files of this process: that of the cache if it can be
// written to, else the system's.
func (c cache) temp() string {
	if c.dir == "" || files.MakeDir(c.dir) != nil {
		return ""
	}
	f, err := files.Temp(c.dir)
	if err != nil {
		return ""
	}
	_ = f.Close()
	return c.dir
}

// newest opens the file that was written last, nil if there is none.
func (c cache) newest() *os.File {
	list, err := filepath.Glob(filepath.Join(files.GlobEscape(c.dir), "*.db"))
	if c.dir == "" || err != nil {
		return nil
	}
	var best string
	var when int64
	for _, path := range list {
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.ModTime().UnixNano() >= when {
			best, when = path, info.ModTime().UnixNano()
		}
	}
	if best == "" {
		return nil
	}
	f, err := os.Open(best)
	if err != nil {
		return nil
	}
	return f
}

// keep stores a replica. That it cannot is no loss.
func (c cache) keep(ctx context.Context, r *replica) error {
	if c.dir == "" || r.Empty() {
		return nil
	}
	var f *os.File
	err := files.InDir(c.dir, func() (err error) {
		f, err = os.CreateTemp(c.dir, files.TempPrefix+"*")
		return err
	})
	if err != nil {
		return err
	}
	_, err = r.WriteTo(f)
	if err = errors.Join(err, f.Close(), ctx.Err()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(c.dir, r.Meta.Lineage+".db"))
	}
	if err != nil {
		return errors.Join(err, files.RemoveIfThere(f.Name()))
	}
	return c.drop(r.Meta.Lineage)
}

// drop removes the files of other lineages than the one that the place has.
func (c cache) drop(but string) error {
	list, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range list {
		if filepath.Ext(d.Name()) == ".db" && d.Name() != but+".db" {
			err = errors.Join(err, files.RemoveIfThere(filepath.Join(c.dir, d.Name())))
		}
	}
	return err
}
