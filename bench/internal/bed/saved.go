package bed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Save remembers the lake and its state as they are, so that the same step can
// be measured several times. Files of a lake and objects of a state are never
// written in place: they are kept as links.
func (l *Lake) Save() error {
	for _, old := range []string{"saved", "used"} {
		if err := os.RemoveAll(l.in(old)); err != nil {
			return err
		}
	}
	return linkTree(l.in("work"), l.in("saved"))
}

// Restore puts back what was saved. What was there stays until the next Save: ext4
// takes several times as long to make a file while inodes that it could have were
// freed in the last half minute.
func (l *Lake) Restore() error {
	if err := os.MkdirAll(l.in("used"), 0o755); err != nil {
		return err
	}
	used, err := os.MkdirTemp(l.in("used"), "")
	if err != nil {
		return err
	}
	if err := os.Rename(l.in("work"), filepath.Join(used, "work")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return linkTree(l.in("saved"), l.in("work"))
}

// linkTree makes a folder of links to the files of another, and copies of what
// is written in place: the state's file and those that lie beside it.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		dest := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(dest, 0o755)
		case filepath.Dir(rel) == ".":
			return copyFile(name, dest)
		}
		return os.Link(name, dest)
	})
}

func copyFile(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := dst.Close(); err == nil {
			err = cerr
		}
	}()
	_, err = io.Copy(dst, src)
	return err
}

// Touched says how many of the files that were saved, and how many MB of them,
// an apply has replaced or removed since.
type Touched struct {
	Files, Of int
	MB, OfMB  float64
}

func (t Touched) String() string {
	return fmt.Sprintf("%d of %d files, %.1f of %.1f MB", t.Files, t.Of, t.MB, t.OfMB)
}

// Touched compares the lake with what was saved.
func (l *Lake) Touched() (Touched, error) {
	var t Touched
	root := l.in("saved", "lake")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".parquet") {
			return err
		}
		was, err := d.Info()
		if err != nil {
			return err
		}
		mb := float64(was.Size()) / 1e6
		t.Of++
		t.OfMB += mb
		is, err := os.Stat(filepath.Join(l.in("work", "lake"), strings.TrimPrefix(name, root)))
		if err != nil || !os.SameFile(was, is) {
			t.Files++
			t.MB += mb
		}
		return nil
	})
	return t, err
}
