package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/sinks"
	"reconcile/state"
)

// digester is what a sink can do beyond its interface: tell the digest of a
// file, lower-case hex SHA-256.
type digester interface {
	Digest(ctx context.Context, path string) (string, error)
}

// planDrift compares what the sinks hold with what the state says they do. A
// foreign data file is an error: it would be counted by every reader. A file
// that is missing, or whose digest is another, has the table rebuilt.
func (e *Engine) planDrift(ctx context.Context, p *Plan, t *TablePlan) error {
	if why, ok := p.snap.Settings[rebuildSetting(t.Name)]; ok {
		t.Drift = append(t.Drift, string(why))
	}
	if e.opts.NoRefresh || slices.Contains(p.Recover, t.Name) {
		return nil
	}
	type found struct {
		sink  sinks.Sink
		files map[string]sinks.Object
	}
	listed := map[place]found{}
	list := func(root, folder string) (found, error) {
		if f, ok := listed[place{root, folder}]; ok {
			return f, nil
		}
		sk, err := e.openSink(root, "")
		if err != nil {
			return found{}, err
		}
		objs, err := sk.List(ctx, folder)
		if err != nil {
			return found{}, fmt.Errorf("table %s: listing %s in %s: %w", t.Name, folder, root, err)
		}
		f := found{sk, map[string]sinks.Object{}}
		for _, o := range objs {
			f.files[o.Path] = o
		}
		listed[place{root, folder}] = f
		return f, nil
	}
	if t.old != nil {
		for _, part := range t.parts {
			for i := range part.Files {
				s := t.old.Sinks[part.Files[i].Sink]
				f, err := list(s.Root, s.Folder)
				if err != nil {
					return err
				}
				if err := t.compare(ctx, f.sink, f.files, &part.Files[i]); err != nil {
					return err
				}
			}
		}
	}
	var foreign []string
	for _, s := range foldersOf(t) {
		f, err := list(s.root, s.path)
		if err != nil {
			return err
		}
		for name := range f.files {
			if strings.HasSuffix(name, ".parquet") {
				foreign = append(foreign, s.root+"/"+name)
			}
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	slices.Sort(foreign)
	return fmt.Errorf("table %s: %d data files that the state does not know, as %s: readers would count their rows; move them away, or bring back the state that wrote them",
		t.Name, len(foreign), foreign[0])
}

// foldersOf lists where a table is and where it is to be.
func foldersOf(t *TablePlan) []place {
	var out []place
	if t.old != nil {
		for _, s := range t.old.Sinks {
			out = append(out, place{s.Root, s.Folder})
		}
	}
	for _, s := range t.cfg.Sinks {
		at := place{s.Path, t.cfg.Folder}
		if !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// compare checks one file against the listing, and takes it out of it.
func (t *TablePlan) compare(ctx context.Context, sk sinks.Sink, files map[string]sinks.Object, f *state.File) error {
	obj, ok := files[f.Path]
	delete(files, f.Path)
	if !ok {
		t.Drift = append(t.Drift, f.Path+" is missing")
		return nil
	}
	if obj.Pin == f.Pin {
		return nil
	}
	d, ok := sk.(digester)
	if !ok {
		return fmt.Errorf("%s: the sink cannot tell whether it changed", f.Path)
	}
	sum, err := d.Digest(ctx, f.Path)
	if err != nil {
		return err
	}
	t.touched = append(t.touched, touchedFile{*f, sum, obj.Pin})
	if sum == f.Digest {
		f.Pin = obj.Pin
		return nil
	}
	t.Drift = append(t.Drift, f.Path+" was changed")
	return nil
}

// touchedFile is a file whose pin is no longer that of the state, and what it
// holds now.
type touchedFile struct {
	file        state.File
	digest, pin string
}

// repin gives files that were touched without being changed, and those that a
// rebuild replaces, the pins that they have now.
func (t *TablePlan) repin(parts []*state.Partition) {
	for _, p := range parts {
		for i := range p.Files {
			f := &p.Files[i]
			for _, x := range t.touched {
				if x.file.Path == f.Path && x.file.Sink == f.Sink && x.file.Digest == f.Digest {
					f.Digest, f.Pin = x.digest, x.pin
				}
			}
		}
	}
}
