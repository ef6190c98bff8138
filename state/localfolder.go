package state

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/boltfile"
)

// A folder can hold several states. So the bulky objects of each lie in a folder
// named after its file, with a marker that says of which state they are: a file
// can be deleted, copied, renamed or brought back without its objects, and what one
// state does not name another may need.

const (
	objectsSuffix = ".objects"
	markerName    = "lineage"
	// begunMark follows the lineage in a marker until the first transaction gives
	// it to the state: objects are written before.
	begunMark = "begun"
)

// ObjectsDir returns the folder of the bulky objects.
func (s *local) ObjectsDir() string { return s.path + objectsSuffix }

// sharedDir is where versions before kept the objects of all states of a folder.
// They are read, never removed: another state may name them.
func (s *local) sharedDir() string { return filepath.Join(filepath.Dir(s.path), "objects") }

// owner is what the holder of the lock knows of the state and its folder.
type owner struct {
	mu      sync.Mutex
	known   bool   // whether there is a state, and of which lineage
	born    bool   // there is a state
	lineage string // that it has or, if claimed, will get
	// generation is the one that it says, 0 if there is none.
	generation uint64
	claimed    bool // the marker names the lineage
}

// marker says whose a folder of objects is.
type marker struct {
	lineage string
	begun   bool // no transaction had given the lineage to a state yet
}

// learn finds out which state there is.
func (s *local) learn(ctx context.Context) error {
	o := &s.owner
	if o.known {
		return nil
	}
	var meta metaRecord
	born, err := s.view(ctx, func(v *boltfile.View) (err error) {
		meta, err = s.readMeta(v)
		return err
	})
	if err != nil {
		return err
	}
	o.known, o.born, o.lineage, o.claimed, o.generation = true, born, meta.Lineage, false, meta.Generation
	return nil
}

// forget has everything of the owner found out anew.
func (s *local) forget() {
	s.owner.mu.Lock()
	defer s.owner.mu.Unlock()
	s.owner.known, s.owner.claimed = false, false
}

// claim makes the folder of the objects, with its marker, or proves that the one
// that is there is of this state.
func (s *local) claim(ctx context.Context) error {
	s.owner.mu.Lock()
	defer s.owner.mu.Unlock()
	if err := s.learn(ctx); err != nil || s.owner.claimed {
		return err
	}
	m, err := s.checkFolder(s.owner.born, s.owner.lineage)
	if err != nil {
		return err
	}
	want := marker{lineage: s.owner.lineage, begun: !s.owner.born}
	switch {
	case m != nil && m.begun && want.begun:
		want.lineage = m.lineage // of an apply that ended before its first transaction
	case want.begun:
		want.lineage = newLineage()
	}
	if m == nil || *m != want {
		if err := s.writeMarker(ctx, want); err != nil {
			return err
		}
	}
	s.owner.lineage, s.owner.claimed = want.lineage, true
	return nil
}

// firstLineage returns the lineage of a state about to be made: the one that its
// objects are marked with already, or a new one.
func (s *local) firstLineage() string {
	s.owner.mu.Lock()
	defer s.owner.mu.Unlock()
	if s.owner.claimed && !s.owner.born {
		return s.owner.lineage
	}
	if m, err := s.readMarker(); err == nil && m != nil && m.begun {
		return m.lineage
	}
	return newLineage()
}

// newborn notes that a first transaction made the state.
func (s *local) newborn(ctx context.Context, lineage string) error {
	s.owner.mu.Lock()
	defer s.owner.mu.Unlock()
	s.owner.known, s.owner.born, s.owner.lineage = true, true, lineage
	m, err := s.readMarker()
	if err != nil || m == nil || *m != (marker{lineage, true}) {
		return nil // whoever needs the folder says what is wrong with it
	}
	return s.writeMarker(ctx, marker{lineage: lineage})
}

func newLineage() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// CheckObjects fails when the folder of the objects is not that of the state that
// was loaded.
func (s *local) CheckObjects(snap *Snapshot) error {
	_, err := s.checkFolder(snap.Serial > 0, snap.Lineage)
	return err
}

// checkFolder returns the marker of the folder, nil if that is still to be made,
// or an error when it is not the folder of the state.
func (s *local) checkFolder(born bool, lineage string) (*marker, error) {
	m, err := s.readMarker()
	if errors.Is(err, errNoMarker) {
		return nil, s.unmarked(born, lineage, err)
	}
	switch {
	case err != nil || m == nil:
		return nil, err
	case born && m.lineage == lineage || !born && m.begun:
		return m, nil
	case born:
		return nil, fmt.Errorf("the folder %s belongs to a state of lineage %s, but the state %s is of lineage %s: bring back the state that the folder belongs to; "+
			"or move the folder aside, and put the one in its place that was saved with this state, if there is one; nothing was changed",
			s.ObjectsDir(), m.lineage, s.path, lineage)
	}
	return nil, fmt.Errorf("the folder %s belongs to a state of lineage %s, but there is no state %s: bring that state back, "+
		"or move the folder aside to begin a new one; nothing was changed", s.ObjectsDir(), m.lineage, s.path)
}

// ownsFolder reports whether there is a folder and it is the state's; one that is
// another's is an error.
func (s *local) ownsFolder(ctx context.Context) (bool, error) {
	s.owner.mu.Lock()
	defer s.owner.mu.Unlock()
	if err := s.learn(ctx); err != nil {
		return false, err
	}
	m, err := s.checkFolder(s.owner.born, s.owner.lineage)
	return m != nil, err
}

// unmarked says what to do about a folder that does not say whose it is.
func (s *local) unmarked(born bool, lineage string, why error) error {
	if !born {
		return fmt.Errorf("%w, and there is no state %s: move the folder aside to begin one; nothing was changed", why, s.path)
	}
	return fmt.Errorf("%w: if it belongs to the state %s, write that one's lineage, %s, into the file %s, else move the folder aside; nothing was changed",
		why, s.path, lineage, filepath.Join(s.ObjectsDir(), markerName))
}

// errNoMarker says that a folder with objects has no marker that can be read.
var errNoMarker = errors.New("it does not say to which state it belongs")

// readMarker reads the marker; nil says that there is no folder yet, or none but
// its name.
func (s *local) readMarker() (*marker, error) {
	data, err := os.ReadFile(filepath.Join(s.ObjectsDir(), markerName))
	if errors.Is(err, fs.ErrNotExist) {
		holds, err := s.holdsObjects()
		if err == nil && holds {
			err = fmt.Errorf("the folder %s holds objects of a state: %w", s.ObjectsDir(), errNoMarker)
		}
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("read whose objects these are: %w", err)
	}
	words := strings.Fields(string(data))
	begun := len(words) == 2 && words[1] == begunMark
	if len(words) == 0 || len(words) > 1 && !begun || !validLineage(words[0]) {
		return nil, fmt.Errorf("the file %s in the folder %s is damaged: %w", markerName, s.ObjectsDir(), errNoMarker)
	}
	return &marker{words[0], begun}, nil
}

func validLineage(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == 16 && text == strings.ToLower(text)
}

// holdsObjects reports whether there is more in the folder than what a crash left
// when it was made.
func (s *local) holdsObjects() (bool, error) {
	list, err := os.ReadDir(s.ObjectsDir())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, d := range list {
		if !strings.HasPrefix(d.Name(), tempPrefix) {
			return true, err
		}
	}
	return false, err
}

// writeMarker makes the folder, if need be, and its marker, durable.
func (s *local) writeMarker(ctx context.Context, m marker) error {
	dir := s.ObjectsDir()
	if err := makeDir(dir); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, failpoint.ObjectsMark); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, tempPrefix+"*")
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
		err = rename(f.Name(), filepath.Join(dir, markerName))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("mark the folder %s: %w", dir, err), removeIfThere(f.Name()))
	}
	return nil
}

// siblings returns the folders beside the state's own that hold objects of the same
// lineage: where those of a state that was copied or renamed were left.
func (s *local) siblings(lineage string) []string {
	list, err := filepath.Glob(filepath.Join(globEscape(filepath.Dir(s.path)), "*"+objectsSuffix))
	if err != nil {
		return nil
	}
	var out []string
	for _, dir := range list {
		other := &local{path: strings.TrimSuffix(dir, objectsSuffix)}
		if m, err := other.readMarker(); err == nil && m != nil && m.lineage == lineage && dir != s.ObjectsDir() {
			out = append(out, dir)
		}
	}
	return out
}

// globEscape makes a path match itself only.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
