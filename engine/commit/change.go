package commit

import (
	"path"

	"reconcile/engine/exec"
	"reconcile/engine/filename"
	"reconcile/sinks"
	"reconcile/state"
)

// Change is a staged change of one table: durable (C1, C2), and invisible until it is
// committed.
type Change struct {
	// Attempt names the folder where the files are staged.
	Attempt string
	// prepared says that Prepare found nothing against the change.
	prepared bool
	// Table is the record of the table after the change. The commit gives it its number.
	Table *state.Table
	// Parts are the partitions that are added or replaced. With Whole they are all there
	// is; otherwise those of Removed, by ordinal, go and all others stay.
	Parts   []Part
	Removed []uint32
	Whole   bool
	// Removals are the files of Old that go, as whoever staged the change says.
	Removals []sinks.Place
	// Objects are those that are new.
	Objects []*state.Sealed

	// Base is what the content was computed from. The zero Base is that of a table that
	// the state does not have.
	Base exec.Base
	// Old is the record before the change, nil of a new table, and OldParts what it
	// consisted of.
	Old      *state.Table
	OldParts []*state.Partition
	// Left are removals of files that the state does not list.
	Left []state.Step

	// Masks says that the change masks what was plain, which the state must not keep.
	Masks bool
	// Dumps are those that the table takes, Holds those that are done with, Manifests
	// what the manifests of the source say; nil where the state has that.
	Dumps     []*state.Dump
	Holds     []state.Hold
	Manifests *state.Sealed
	// Unheld says that the change takes what checks held.
	Unheld bool
	// Judged are deliveries that guards are not to judge again, with the digests of their entries.
	Judged map[state.Delivery]string

	log    state.Commit // what Note was told
	before *state.Table // the record that the state has, as Prepare found it; nil if none
}

// Part is the new content of one partition.
type Part struct {
	// Record is that of the partition. The commit names its files.
	Record *state.Partition
	// Staged are the paths of the staged files, by Record.Files; empty for a file that
	// stays as it is.
	Staged []string
}

// rewritten are the ordinals of the partitions that the change replaces or removes.
func (c *Change) rewritten() map[uint32]bool {
	out := map[uint32]bool{}
	for _, p := range c.Parts {
		out[p.Record.Ordinal] = true
	}
	for _, o := range c.Removed {
		out[o] = true
	}
	return out
}

// Partitions returns what the table consists of after the change.
func (c *Change) Partitions() []*state.Partition {
	var out []*state.Partition
	for _, p := range c.Parts {
		out = append(out, p.Record)
	}
	rewritten := c.rewritten()
	for _, p := range c.OldParts {
		if !c.Whole && !rewritten[p.Ordinal] {
			out = append(out, p)
		}
	}
	return out
}

// numbered is a data file of a table, as it is known whatever commit named it.
type numbered struct {
	root, folder string
	number       int
}

// nameFiles gives the files that were staged their names in the commit of a serial. It
// may be called again, for another serial too.
func (c *Change) nameFiles(serial uint64) {
	listed := map[numbered]string{}
	for _, p := range c.OldParts {
		for _, f := range p.Files {
			listed[numbered{c.Old.Sinks[f.Sink].Root, path.Dir(f.Path), filename.Number(f.Path)}] = f.Path
		}
	}
	for _, p := range c.Parts {
		for i := range p.Record.Files {
			if p.Staged[i] == "" {
				continue
			}
			f := &p.Record.Files[i]
			at := numbered{c.Table.Sinks[f.Sink].Root, path.Dir(f.Path), filename.Number(f.Path)}
			name, ok := listed[at]
			if !ok {
				name = path.Join(at.folder, filename.Of(at.number, serial))
			}
			f.Path = name
		}
	}
}
