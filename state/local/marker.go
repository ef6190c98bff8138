package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
)

const (
	markerName = "lineage"
	// begunMark follows the lineage in a marker until the first transaction gives
	// it to the state: objects are written before.
	begunMark = "begun"
)

// marker says whose a folder of objects is.
type marker struct {
	lineage string
	begun   bool // no transaction had given the lineage to a state yet
}

// errNoMarker says that a folder with objects has no marker that can be read.
var errNoMarker = errors.New("it does not say to which state it belongs")

// readMarker reads the marker of a folder of objects; nil says that there is no folder
// yet, or none but its name.
func readMarker(dir string) (*marker, error) {
	data, err := os.ReadFile(filepath.Join(dir, markerName))
	if errors.Is(err, fs.ErrNotExist) {
		holds, err := holdsObjects(dir)
		if err == nil && holds {
			err = fmt.Errorf("the folder %s holds objects of a state: %w", dir, errNoMarker)
		}
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("read whose objects these are: %w", err)
	}
	words := strings.Fields(string(data))
	begun := len(words) == 2 && words[1] == begunMark
	if len(words) == 0 || len(words) > 1 && !begun || !kv.ValidLineage(words[0]) {
		return nil, fmt.Errorf("the file %s in the folder %s is damaged: %w", markerName, dir, errNoMarker)
	}
	return &marker{words[0], begun}, nil
}

// holdsObjects reports whether there is more in a folder than what a crash left
// when it was made.
func holdsObjects(dir string) (bool, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, d := range list {
		if !strings.HasPrefix(d.Name(), files.TempPrefix) {
			return true, err
		}
	}
	return false, err
}

// writeMarker makes a folder of objects, if need be, and its marker, durable.
func writeMarker(ctx context.Context, dir string, m marker) error {
	if err := files.MakeDir(dir); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, failpoint.ObjectsMark); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, files.TempPrefix+"*")
	if err != nil {
		return err
	}
	text := m.lineage + "\n"
	if m.begun {
		text = m.lineage + " " + begunMark + "\n"
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = files.Rename(f.Name(), filepath.Join(dir, markerName))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("mark the folder %s: %w", dir, err), files.RemoveIfThere(f.Name()))
	}
	return nil
}
