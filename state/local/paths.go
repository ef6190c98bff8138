package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// paths is the path of a state file, and knows what lies beside it.
type paths string

const (
	lockSuffix    = ".lock"
	readersSuffix = ".readers"
	newSuffix     = ".new"
	objectsSuffix = ".objects"
	backupsSuffix = ".backups"
)

func (p paths) file() string    { return string(p) }
func (p paths) lock() string    { return string(p) + lockSuffix }
func (p paths) readers() string { return string(p) + readersSuffix }
func (p paths) newFile() string { return string(p) + newSuffix }
func (p paths) objects() string { return string(p) + objectsSuffix }
func (p paths) backups() string { return string(p) + backupsSuffix }

// shared is where versions before kept the objects of all states of a folder.
// They are read, never removed: another state may name them.
func (p paths) shared() string { return filepath.Join(filepath.Dir(string(p)), "objects") }

// object returns the file of a bulky object.
func (p paths) object(digest string) string { return objectIn(p.objects(), digest) }

func objectIn(dir, digest string) string { return filepath.Join(dir, digest[:2], digest) }

// exists reports whether there is a state file. One that is not a regular file
// is an error: behind a symbolic link the lock and the objects would not be
// those of the file.
func (p paths) exists() (bool, error) {
	info, err := os.Lstat(p.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, p.checkName()
	case err != nil:
		return false, fmt.Errorf("find state file: %w", err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("state file %s is a %s, want a regular file: name the file itself", p, kindOf(info))
	}
	return true, nil
}

// checkName refuses a new state a name that the files of another one beside it
// could have.
func (p paths) checkName() error {
	for _, suffix := range []string{lockSuffix, readersSuffix, newSuffix, objectsSuffix, backupsSuffix} {
		if strings.HasSuffix(strings.ToLower(p.file()), suffix) {
			return fmt.Errorf("state file %s: names that end in %s are for what lies beside a state: choose another one", p, suffix)
		}
	}
	return nil
}

func kindOf(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "folder"
	case info.Mode()&fs.ModeSymlink != 0:
		return "symbolic link"
	}
	return "special file"
}
