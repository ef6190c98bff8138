package inspect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"reconcile/internal/near"
	"reconcile/internal/shell"
	"reconcile/state"
)

// Detail is all that the state has of one table.
type Detail struct {
	Table      Table
	Lineage    string
	Files      []File // by partition and sink
	Holds      []Hold // of this table
	Unfinished bool   // its last commit is not wholly visible yet
}

// File is one live data file.
type File struct {
	Root     string // of the sink
	Path     string // below the root
	Rows     int64
	Bytes    int64
	Digest   string
	Appended bool // its rows came to a partition that had files
}

// ShowTable says what the state has of one table. Like Show it reads the state only.
func (r *Reader) ShowTable(ctx context.Context, name string) (_ *Detail, err error) {
	snap, err := r.Store.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	r.Declared.ResolveRoots(snap)
	t := snap.Tables[name]
	if t == nil {
		return nil, r.noTable(snap, name)
	}
	d := &Detail{Table: showTable(t, snap.Partitions[name]), Lineage: snap.Lineage}
	for _, p := range snap.Partitions[name] {
		for _, f := range p.Files {
			if f.Sink < len(t.Sinks) {

				d.Files = append(d.Files, File{Root: t.Sinks[f.Sink].Root, Path: f.Path, Rows: f.Rows, Bytes: f.Size, Digest: f.Digest, Appended: f.Appended})
			}
		}
	}
	for _, h := range Holds(snap) {
		if h.Table == name {
			d.Holds = append(d.Holds, h)
		}
	}
	NameWaysPast(r.Config, d.Holds)
	for _, p := range snap.Publishes {
		d.Unfinished = d.Unfinished || p.Table == name
	}
	return d, nil
}

// noTable says that the state does not have a table.
func (r *Reader) noTable(snap *state.Snapshot, name string) error {
	if snap.Lineage == "" {
		return fmt.Errorf("nothing was ever applied: there is no state at %s", r.Store.Place())
	}
	hint := ""
	for _, t := range snap.Tables {
		if slices.ContainsFunc(t.Sinks, func(s state.SinkTable) bool { return s.Folder == name }) {
			return fmt.Errorf("the state has no table.%s. Did you mean %s, of which that is the folder?", name, shell.Word("table."+t.Name))
		}
	}
	if n := near.Name(name, slices.Sorted(maps.Keys(snap.Tables))); n != "" {
		hint = fmt.Sprintf(" Did you mean %s?", shell.Word("table."+n))
	}
	return fmt.Errorf("the state has no table.%s.%s `reconcile state list` lists all", name, hint)
}
