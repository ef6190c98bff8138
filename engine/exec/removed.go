package exec

import (
	"maps"
	"path"
	"slices"

	"reconcile/engine/filename"
)

// dataFile is a data file of a table by its root and path.
type dataFile struct{ root, path string }

// named is what a commit goes by when it names a new file: one with the number of a file
// that the table has takes its place.
type named struct {
	root, folder string
	number       int
}

func namedOf(f dataFile) named { return named{f.root, path.Dir(f.path), filename.Number(f.path)} }

// FilesRemoved lists the files of the table that are none of it any more after what was
// done: those of partitions that are replaced or go, but for files that stay and those
// whose place a new one takes.
func (d *Done) FilesRemoved(t *Task) []Removal {
	before := d.filesReplaced(t)
	if len(before) == 0 {
		return nil
	}
	places := map[named]dataFile{}
	for _, f := range before {
		places[namedOf(f)] = f
	}
	stays := map[dataFile]bool{}
	for i := range d.Partitions {
		for _, f := range d.Partitions[i].Files {
			at := dataFile{t.Sinks[f.Sink].Root, f.Path}
			if f.Staged != "" {
				at = places[namedOf(at)]
			}
			stays[at] = true
		}
	}
	gone := map[string][]string{} // paths by root
	for _, f := range before {
		if !stays[f] {
			gone[f.root] = append(gone[f.root], f.path)
		}
	}
	var out []Removal
	for _, root := range slices.Sorted(maps.Keys(gone)) {
		slices.Sort(gone[root])
		out = append(out, Removal{Root: root, Paths: gone[root]})
	}
	return out
}

// filesReplaced lists the files that the partitions have which are replaced or go.
func (d *Done) filesReplaced(t *Task) []dataFile {
	if t.Stored == nil {
		return nil
	}
	replaced := map[uint32]bool{}
	for i := range d.Partitions {
		replaced[d.Partitions[i].Ordinal] = true
	}
	for _, ordinal := range d.Removed {
		replaced[ordinal] = true
	}
	var out []dataFile
	for i := range t.Stored.Partitions {
		p := &t.Stored.Partitions[i]
		if !d.All && !replaced[p.Ordinal] {
			continue
		}
		for _, f := range p.Files {
			out = append(out, dataFile{t.Stored.Sinks[f.Sink], f.Path})
		}
	}
	return out
}
