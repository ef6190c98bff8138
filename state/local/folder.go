package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"reconcile/state"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
)

// folder is the folder of a state's bulky objects. A folder of the machine can hold
// several states. So the objects of each lie in one named after its file, with a marker
// that says of which state they are: a file can be deleted, copied, renamed or brought
// back without its objects, and what one state does not name another may need.
type folder struct {
	at   paths
	file *file

	mu      sync.Mutex
	known   bool   // whether there is a state, and of which lineage
	born    bool   // there is a state
	lineage string // that it has or, if claimed, will get
	// generation is the one that it says, 0 if there is none.
	generation uint64
	claimed    bool // the marker names the lineage
	// first is the lineage that a state about to be made is to have; empty for any.
	first string
}

// learn finds out which state there is. It needs d.mu.
func (d *folder) learn(ctx context.Context) error {
	if d.known {
		return nil
	}
	meta, born, err := d.file.meta(ctx)
	if err != nil {
		return err
	}
	d.known, d.born, d.lineage, d.claimed, d.generation = true, born, meta.Lineage, false, meta.Generation
	return nil
}

// relearn finds everything out again, and returns the generation that the state says. What
// is wrong with the state its first reader says.
func (d *folder) relearn(ctx context.Context) (generation uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.learn(ctx)
	return d.generation
}

// forget has everything found out again.
func (d *folder) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known, d.claimed, d.first = false, false, ""
}

// begin says which lineage a state about to be made is to have.
func (d *folder) begin(lineage string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.first = lineage
}

// claim makes the folder, with its marker, or proves that the one that is there is of
// this state.
func (d *folder) claim(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.learn(ctx); err != nil || d.claimed {
		return err
	}
	m, err := d.check(d.born, d.lineage)
	if err != nil {
		return err
	}
	want := marker{lineage: d.lineage, begun: !d.born}
	if want.begun {
		want.lineage = d.lineageAfter(m)
	}
	if m == nil || *m != want {
		if err := writeMarker(ctx, d.at.objects(), want); err != nil {
			return err
		}
	}
	d.lineage, d.claimed = want.lineage, true
	return nil
}

// take makes the folder that of a lineage, unless it is another state's.
func (d *folder) take(ctx context.Context, lineage string, born bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, err := readMarker(d.at.objects())
	switch {
	case errors.Is(err, errNoMarker):
		return d.unmarked(born, lineage, err)
	case err != nil:
		return err
	case m != nil && !m.begun && m.lineage != lineage:
		return &state.LineageError{Place: d.at.objects(), Lineage: m.lineage, What: "what is to replace it", Want: lineage}
	case m == nil || *m != marker{lineage: lineage}:
		if err := writeMarker(ctx, d.at.objects(), marker{lineage: lineage}); err != nil {
			return err
		}
	}
	d.known, d.born, d.lineage, d.claimed = true, true, lineage, true
	return nil
}

// firstLineage returns the lineage of a state about to be made: the one that its
// objects are marked with already, or a new one.
func (d *folder) firstLineage() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.claimed && !d.born {
		return d.lineage
	}
	m, err := readMarker(d.at.objects())
	if err != nil {
		m = nil
	}
	return d.lineageAfter(m)
}

// lineageAfter is the lineage of a state about to be made where a marker stands: that
// which was asked for, that of an apply that ended before its first transaction, or a new
// one. It needs d.mu.
func (d *folder) lineageAfter(m *marker) string {
	switch {
	case d.first != "":
		return d.first
	case m != nil && m.begun:
		return m.lineage
	}
	return kv.NewLineage()
}

// newborn notes that a first transaction made the state.
func (d *folder) newborn(ctx context.Context, lineage string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known, d.born, d.lineage = true, true, lineage
	m, err := readMarker(d.at.objects())
	if err != nil || m == nil || *m != (marker{lineage, true}) {
		return nil // whoever needs the folder says what is wrong with it
	}
	return writeMarker(ctx, d.at.objects(), marker{lineage: lineage})
}

// check returns the marker of the folder, nil if that is still to be made, or an error
// when it is not the folder of the state.
func (d *folder) check(born bool, lineage string) (*marker, error) {
	m, err := readMarker(d.at.objects())
	if errors.Is(err, errNoMarker) {
		return nil, d.unmarked(born, lineage, err)
	}
	switch {
	case err != nil || m == nil:
		return nil, err
	case born && m.lineage == lineage || !born && m.begun:
		return m, nil
	case born:
		return nil, fmt.Errorf("the folder %s belongs to a state of lineage %s, but the state %s is of lineage %s: bring back the state that the folder belongs to; "+
			"or move the folder aside, and put the one in its place that was saved with this state, if there is one; nothing was changed",
			d.at.objects(), m.lineage, d.at, lineage)
	}
	return nil, fmt.Errorf("the folder %s belongs to a state of lineage %s, but there is no state %s: bring that state back, "+
		"or move the folder aside to begin a new one; nothing was changed", d.at.objects(), m.lineage, d.at)
}

// owned reports whether there is a folder and it is the state's; one that is another's is
// an error.
func (d *folder) owned(ctx context.Context) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.learn(ctx); err != nil {
		return false, err
	}
	m, err := d.check(d.born, d.lineage)
	return m != nil, err
}

// unmarked says what to do about a folder that does not say whose it is.
func (d *folder) unmarked(born bool, lineage string, why error) error {
	if !born {
		return fmt.Errorf("%w, and there is no state %s: move the folder aside to begin one; nothing was changed", why, d.at)
	}
	return fmt.Errorf("%w: if it belongs to the state %s, write that one's lineage, %s, into the file %s, else move the folder aside; nothing was changed",
		why, d.at, lineage, filepath.Join(d.at.objects(), markerName))
}

// siblings returns the folders beside the state's own that hold objects of the same
// lineage: where those of a state that was copied or renamed were left.
func (d *folder) siblings(lineage string) []string {
	list, err := filepath.Glob(filepath.Join(files.GlobEscape(filepath.Dir(d.at.file())), "*"+objectsSuffix))
	if err != nil {
		return nil
	}
	var out []string
	for _, dir := range list {
		if m, err := readMarker(dir); err == nil && m != nil && m.lineage == lineage && dir != d.at.objects() {
			out = append(out, dir)
		}
	}
	return out
}
