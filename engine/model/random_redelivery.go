package model

import (
	"cmp"
	"slices"
)

// redeliver lists what was delivered last of a table once more, sometimes with a
// difference.
func (g *gen) redeliver(t *genTable) []Entry {
	out := Redelivery(t.last, func(f *File) *File {
		if g.chance(0.2) {
			return f // in its old place
		}
		c := *f
		c.Key, c.Same, c.Fault = g.fileKey(t.name), cmp.Or(f.Same, f.Key), g.fault()
		return &c
	})
	e := &out[0]
	switch n := len(e.Files); {
	case g.chance(0.7):
	case n > 1 && g.chance(0.5):
		e.Files[0], e.Files[n-1] = e.Files[n-1], e.Files[0]
	case n > 0 && g.chance(0.5):
		e.Files = e.Files[:n-1]
	case len(e.Columns) > 1:
		e.Columns[0], e.Columns[1] = e.Columns[1], e.Columns[0]
	}
	g.history = append(g.history, e.Files...)
	return out
}

// Redelivery returns entries that deliver the same once more, as an incremental
// delivery; again returns the file that stands for one of theirs.
func Redelivery(entries []Entry, again func(*File) *File) []Entry {
	out := slices.Clone(entries)
	for i := range out {
		e := &out[i]
		e.Incremental, e.Columns, e.Files = Bool(true), slices.Clone(e.Columns), slices.Clone(e.Files)
		for k, f := range e.Files {
			e.Files[k] = again(f)
		}
	}
	return out
}
