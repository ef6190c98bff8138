// Package scratch makes the folders that commands work in below scratch_dir, and removes
// those that killed applies left. It never touches a folder of another state.
package scratch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Area is scratch_dir, which other states may use too, as one state uses it.
type Area struct {
	Dir   string
	State string // place of the state
}

// prefix begins the names of the folders of the state's applies.
func (a Area) prefix() string {
	sum := sha256.Sum256([]byte(a.State))
	return "apply-" + hex.EncodeToString(sum[:8]) + "-"
}

// ForApply makes a folder for an apply, which holds the lock of the state. remove removes
// it; if nobody does, RemoveStale does.
func (a Area) ForApply() (dir string, remove func(), err error) { return a.folder(a.prefix()) }

// ForPlan makes a folder for a plan. remove removes it, and those above it that were not
// there.
func (a Area) ForPlan() (dir string, remove func(), err error) {
	made := missing(a.Dir)
	dir, removeOne, err := a.folder("plan-")
	remove = func() {
		if removeOne != nil {
			removeOne()
		}
		for _, d := range made {
			_ = os.Remove(d) // unless something else is in it by now
		}
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}

// Unnamed makes a file without a name, which is gone once nobody has it open.
func (a Area) Unnamed() (*os.File, error) {
	dir, remove, err := a.ForPlan()
	if err != nil {
		return nil, err
	}
	defer remove()
	f, err := os.CreateTemp(dir, "lists-*")
	if err != nil {
		return nil, fmt.Errorf("scratch_dir: %w", err)
	}
	return f, nil
}

// folderTries is how often scratch_dir is made that plans keep removing when they end.
const folderTries = 100

// folder makes a folder whose name begins with prefix.
func (a Area) folder(prefix string) (dir string, remove func(), err error) {
	for try := range folderTries {
		if err = os.MkdirAll(a.Dir, 0o700); err == nil {
			dir, err = os.MkdirTemp(a.Dir, prefix+"*")
		}
		// MkdirAll says that a folder exists when it went between being found and looked at.
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
		// A folder is seen for a moment after nothing can be made in it any more.
		time.Sleep(time.Duration(try) * 50 * time.Microsecond)
	}
	if err != nil {
		return "", nil, fmt.Errorf("scratch_dir: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// missing lists a folder and those above it as far as they do not exist, the innermost
// first.
func missing(dir string) []string {
	var out []string
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return out
		}
		out = append(out, dir)
		dir = filepath.Dir(dir)
	}
}

// RemoveStale removes the folders of applies that were killed: under the lock of the state
// nobody else has one.
func (a Area) RemoveStale() error {
	list, err := os.ReadDir(a.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range list {
		if strings.HasPrefix(d.Name(), a.prefix()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(a.Dir, d.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("scratch_dir: %w", err)
	}
	return nil
}
