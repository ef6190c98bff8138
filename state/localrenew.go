package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// asideSuffix begins what follows the name of a state that was set aside.
const asideSuffix = ".damaged-"

// Renew sets the file and the folder of its objects aside, each durably and by a
// rename. A folder that an earlier Renew for the same lineage began stays.
func (l *localLock) Renew(ctx context.Context, lineage string) (aside string, err error) {
	if err := l.check(); err != nil {
		return "", err
	}
	if !validLineage(lineage) {
		return "", fmt.Errorf("make state %s anew: %q is no lineage", l.store.path, lineage)
	}
	if aside, err = l.store.setAside(lineage); err != nil {
		return "", fmt.Errorf("set state %s aside: %w", l.store.path, err)
	}
	if err := l.store.writeMarker(ctx, marker{lineage: lineage, begun: true}); err != nil {
		return aside, err
	}
	o := &l.store.owner
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known, o.born, o.lineage, o.claimed = true, false, lineage, true
	return aside, nil
}

// setAside renames what is there of a state, and returns the new name of the file.
// Killed between the two renames it goes on with the folder when it is called again.
func (s *local) setAside(lineage string) (aside string, err error) {
	m, err := s.readMarker()
	begun := err == nil && m != nil && *m == marker{lineage: lineage, begun: true}
	name, err := s.asideName(time.Now())
	if err != nil {
		return "", err
	}
	moves := []string{""}
	if !begun {
		moves = append(moves, objectsSuffix)
	}
	for _, suffix := range moves {
		if _, err := os.Lstat(s.path + suffix); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := rename(s.path+suffix, name+suffix); err != nil {
			return "", err
		}
		aside = name
	}
	return aside, nil
}

// asideName returns a name that neither a file nor a folder of objects has.
func (s *local) asideName(now time.Time) (string, error) {
	base := s.path + asideSuffix + now.UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		_, errFile := os.Lstat(name)
		_, errFolder := os.Lstat(name + objectsSuffix)
		switch {
		case errors.Is(errFile, fs.ErrNotExist) && errors.Is(errFolder, fs.ErrNotExist):
			return name, nil
		case errFile != nil && !errors.Is(errFile, fs.ErrNotExist):
			return "", errFile
		}
	}
}
