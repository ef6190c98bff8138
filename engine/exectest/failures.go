package exectest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"reconcile/engine"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/internal/blob"
	"reconcile/internal/errclass"
)

// unreachable begins the location of a source that Openers of a suite cannot read.
const unreachable = "unreachable:"

// OpenSource opens the source of a task by its location. One that a suite made
// unreachable is given out, and fails; open opens all others.
func OpenSource(location string, open func(location string) (exec.Source, error)) (exec.Source, error) {
	if strings.HasPrefix(location, unreachable) {
		return downSource(location), nil
	}
	return open(location)
}

// downSource is a source in a store that cannot be read.
func downSource(location string) *dump.Source {
	return dump.Open(downStore{root: location}, dump.Options{Retry: blob.Retry{Attempts: 1}})
}

// downStore is a store of which nothing can be opened.
type downStore struct {
	blob.Store
	root string
}

// Root implements blob.Store.
func (s downStore) Root() string { return s.root }

// Open implements blob.Store.
func (s downStore) Open(context.Context, string) (blob.Handle, error) {
	return nil, &fs.PathError{Op: "open", Path: "part file", Err: syscall.EIO}
}

// failure is what is done to what a task needs, and the class of the error that it has
// then.
type failure struct {
	class  errclass.Class
	damage func(b *bed, t *exec.Task, env *exec.Env)
}

var failures = map[string]failure{
	"sink": {errclass.SinkUnavailable, func(b *bed, t *exec.Task, _ *exec.Env) {
		staging := b.path("lake", "_reconcile", "staging")
		if err := errors.Join(os.RemoveAll(staging), os.WriteFile(staging, nil, 0o600)); err != nil {
			b.t.Error(err)
		}
	}},
	"source": {errclass.SourceUnavailable, func(b *bed, t *exec.Task, env *exec.Env) {
		t.Source = unreachable + t.Source
		env.Source = downSource(t.Source)
	}},
	"index": {errclass.Damaged, func(b *bed, t *exec.Task, _ *exec.Env) {
		for _, ref := range t.Stored.Index {
			b.overwrite("state", ref.Digest)
		}
	}},
	"missing index": {errclass.Damaged, func(b *bed, t *exec.Task, _ *exec.Env) {
		for _, ref := range t.Stored.Index {
			if err := os.Remove(b.find("state", ref.Digest)); err != nil {
				b.t.Error(err)
			}
		}
	}},
	"folder": {errclass.FolderUnusable, func(b *bed, _ *exec.Task, _ *exec.Env) {
		elsewhere := b.path("elsewhere")
		err := os.Rename(b.path("lake", "e"), elsewhere)
		if err = errors.Join(err, os.Symlink(elsewhere, b.path("lake", "e"))); err != nil {
			b.t.Error(err)
		}
	}},
	"data file": {errclass.Changed, func(b *bed, t *exec.Task, _ *exec.Env) {
		for _, p := range t.Stored.Partitions {
			for _, f := range p.Files {
				b.overwrite("lake", filepath.FromSlash(f.Path))
			}
		}
	}},
}

// playFailures breaks what a task needs. It fails with an error of the class for that,
// and changes nothing.
func playFailures(t *testing.T, e exec.Executor, seen *coverage) {
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, e, seen, tables)
			b.tuning.HashBits, b.tuning.Inline = 8, -1
			b.arrive(dumpOf(1, full("e", events(0, 100))))
			b.must()
			b.arrive(dumpOf(2, more("e", events(50, 100))))
			tried := false
			b.watch.between = func(ctx context.Context, task *exec.Task, env *exec.Env) (*exec.Result, error) {
				tried = true
				f.damage(b, task, env)
				before := b.published()
				r, err := e.Execute(ctx, task, env)
				if class := errclass.Of(err); class != f.class {
					t.Errorf("the error is of the class %q instead of %q: %v, %+v", class, f.class, err, r)
				}
				b.checkError(task, f.class, err)
				if after := b.published(); strings.Join(before, "\n") != strings.Join(after, "\n") {
					t.Errorf("a task that failed wrote:\nbefore %q\nafter  %q", before, after)
				}
				return r, err
			}
			res, err := b.apply(t.Context())
			if !tried {
				t.Fatalf("no task was carried out: %v", err)
			}
			b.checkOutcome(f.class, res, err)
		})
	}
}

// checkError checks that an error names the sink or the object that it is about.
func (b *bed) checkError(t *exec.Task, class errclass.Class, err error) {
	known := errclass.Find(err)
	if known == nil {
		return
	}
	_, about := known.ErrorClass()
	if class == errclass.Damaged && about != t.Stored.Index[0].Digest {
		b.t.Errorf("the error is about the object %q: %v", about, err)
	}
	if class == errclass.SinkUnavailable && (about != t.Sinks[0].Root || !strings.Contains(known.Error(), about)) {
		b.t.Errorf("the error is about the sink %q: %v", about, err)
	}
}

// checkOutcome checks that an apply took the error for what it is: a damaged object holds
// the table, a sink stops its tables, and a source ends the run.
func (b *bed) checkOutcome(class errclass.Class, res *engine.Result, err error) {
	b.t.Helper()
	switch class {
	case errclass.Damaged:
		if err != nil || len(res.Tables) > 0 || len(res.Holds) != 1 || res.Holds[0].Object == "" {
			b.t.Errorf("an object is damaged, and the apply gave %+v, %v", res, err)
		}
	case errclass.SourceUnavailable:
		if errclass.Of(err) != class {
			b.t.Errorf("the source cannot be read, and the apply gave %+v, %v", res, err)
		}
	default:
		if err != nil || len(res.Tables) != 1 || errclass.Of(res.Tables[0].Err) != class {
			b.t.Errorf("%s, and the apply gave %+v, %v", class, res, err)
		}
	}
}

// find returns the path of a file below a folder of the bed whose path ends with a name.
func (b *bed) find(top, name string) string {
	b.t.Helper()
	found := ""
	_ = filepath.WalkDir(b.path(top), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(p, name) {
			found = p
		}
		return nil
	})
	if found == "" {
		b.t.Errorf("there is no %s below %s", name, top)
	}
	return found
}

// overwrite makes the content of a file another one of the same size.
func (b *bed) overwrite(top, name string) {
	p := b.find(top, name)
	info, err := os.Stat(p)
	if err == nil {
		err = os.WriteFile(p, []byte(strings.Repeat("x", int(info.Size()))), 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}
