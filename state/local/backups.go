package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/files"
)

// KeptBackups returns a folder beside the state file.
func (s *backend) KeptBackups(create bool) (blob.Store, string, error) {
	if create {
		if err := files.MakeDir(s.at.backups()); err != nil {
			return nil, "", err
		}
	}
	store, err := blob.NewLocal(s.at.backups())
	return store, "", err
}

// SetAside links the damaged file into a folder of its own.
func (s *backend) SetAside(name string) (string, error) {
	dir := filepath.Join(s.at.backups(), name+"-damaged")
	if err := files.MakeDir(dir); err != nil {
		return "", err
	}
	to := filepath.Join(dir, filepath.Base(s.at.file()))
	if err := os.Link(s.at.file(), to); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, files.SyncDir(dir)
}

// backupsWarning warns when a mask was added and the state keeps backups of itself;
// empty if it keeps none.
func backupsWarning(folder string) string {
	list, err := os.ReadDir(folder)
	var names []string
	for _, d := range list {
		names = append(names, d.Name())
	}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("whether %s holds plain values that a mask hides by now cannot be seen: %v", folder, err)
	case len(names) > 0:
		return (&state.PlainBackupsError{Folder: folder, Names: names}).Error()
	}
	return ""
}
