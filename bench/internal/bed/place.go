package bed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"reconcile/bench/internal/export"
	"reconcile/bench/internal/measure"
)

// Place is one export with the configurations that apply it. Lakes of different
// names stand side by side.
type Place struct {
	b   *Bed
	dir string
}

// Place makes an export, or finds the one that an earlier run made of the same
// options.
func (b *Bed) Place(name string, o export.Options) (*Place, error) {
	p := &Place{b, b.in(name)}
	err := b.run(b.program("generate", append(o.Args(), "-dir", p.in("dumps"))...))
	return p, err
}

func (p *Place) in(names ...string) string {
	return filepath.Join(append([]string{p.dir}, names...)...)
}

// Close removes everything of the place.
func (p *Place) Close() error { return os.RemoveAll(p.dir) }

// AddNight adds a dump to the export.
func (p *Place) AddNight(n export.Night) error {
	return p.b.run(p.b.program("generate", append(n.Args(), "-add-night", "-dir", p.in("dumps"))...))
}

// RemoveNight takes the last night away again.
func (p *Place) RemoveNight() error { return export.RemoveNight(p.in("dumps")) }

// Withhold hides a dump, as if it had not arrived.
func (p *Place) Withhold(dump int) error {
	return os.Rename(p.manifest(dump), p.in(fmt.Sprintf("withheld_%d.json", dump)))
}

// Release lets a dump arrive that is withheld.
func (p *Place) Release(dump int) error {
	return os.Rename(p.in(fmt.Sprintf("withheld_%d.json", dump)), p.manifest(dump))
}

func (p *Place) manifest(dump int) string {
	return p.in("dumps", "manifests", fmt.Sprintf("sync_%d.json", dump))
}

// Engine runs the same job in another engine, which always is from nothing.
func (p *Place) Engine(engine string) (measure.Sample, error) {
	if err := os.RemoveAll(p.in(engine)); err != nil {
		return measure.Sample{}, err
	}
	return measure.Run(p.b.job(engine, p.in("dumps"), p.in(engine)))
}

// OutputMB returns the size of what an engine made.
func (p *Place) OutputMB(engine string) (float64, error) {
	return measure.FolderMB(p.in(engine), ".parquet")
}

// RemoveOutput removes what an engine made.
func (p *Place) RemoveOutput(engine string) error { return os.RemoveAll(p.in(engine)) }

// Lake is a lake with its state and its configuration.
type Lake struct {
	p    *Place
	name string
	env  []string
	// remote is the folder in which the server of a lake on S3 keeps it.
	remote string
}

// Lake returns a lake of local files.
func (p *Place) Lake(name, compression string) (*Lake, error) {
	l := &Lake{p: p, name: name}
	return l, l.Configure(compression)
}

func (l *Lake) in(names ...string) string {
	return l.p.in(append([]string{"lakes", l.name}, names...)...)
}

// reconcile returns a command that may use as many threads as all others.
func (l *Lake) reconcile(args ...string) *exec.Cmd {
	n := strconv.Itoa(l.p.b.o.Threads)
	c := l.p.b.program("reconcile", append([]string{"-chdir=" + l.in("conf")}, args...)...)
	c.Env = append(append(os.Environ(), "GOMAXPROCS="+n), l.env...)
	return c
}

// Apply applies what is pending.
func (l *Lake) Apply() (measure.Sample, error) {
	return measure.Run(l.reconcile("apply", "-auto-approve", "-parallelism="+strconv.Itoa(l.p.b.o.Threads)))
}

// Plan only plans.
func (l *Lake) Plan() (measure.Sample, error) { return measure.Run(l.reconcile("plan")) }

// Load is Apply from nothing.
func (l *Lake) Load() (measure.Sample, error) {
	if err := os.RemoveAll(l.in("work")); err != nil {
		return measure.Sample{}, err
	}
	if err := os.RemoveAll(l.folder()); err != nil {
		return measure.Sample{}, err
	}
	return l.Apply()
}

// Same checks that the lake and what engines made are the same tables, and says
// what it found.
func (l *Lake) Same(engines ...string) error {
	dirs := []string{l.folder()}
	for _, e := range engines {
		dirs = append(dirs, l.p.in(e))
	}
	return l.p.b.check(dirs...)
}

// SameAs checks that another lake has the same tables.
func (l *Lake) SameAs(o *Lake) error { return l.p.b.check(l.folder(), o.folder()) }

func (b *Bed) check(dirs ...string) error {
	return b.run(b.program("compare", append([]string{"-check"}, dirs...)...))
}

// folder is where the tables lie.
func (l *Lake) folder() string {
	if l.remote != "" {
		return l.remote
	}
	return l.in("work", "lake")
}

// LakeMB returns the size of the tables.
func (l *Lake) LakeMB() (float64, error) { return measure.FolderMB(l.folder(), ".parquet") }

// StateMB returns the size of the state, its objects included.
func (l *Lake) StateMB() (float64, error) {
	objects, err := measure.FolderMB(l.in("work", "state.db.objects"), "")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	db, err := os.Stat(l.in("work", "state.db"))
	if err != nil {
		return 0, err
	}
	return objects + float64(db.Size())/1e6, nil
}

// Remove removes the lake.
func (l *Lake) Remove() error { return os.RemoveAll(l.in()) }
