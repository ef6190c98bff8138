package model

import "slices"

// clone returns a copy that shares no dumps, files or rows with w (values it
// does). A file that several entries list stays one file.
func (w *World) clone() *World {
	files := map[*File]*File{}
	out := &World{}
	for _, d := range w.Dumps {
		nd := *d
		nd.Entries = slices.Clone(d.Entries)
		for i := range nd.Entries {
			e := &nd.Entries[i]
			e.Columns, e.Files = slices.Clone(e.Columns), slices.Clone(e.Files)
			for j, f := range e.Files {
				if files[f] == nil {
					nf := *f
					nf.Fields, nf.Rows = slices.Clone(f.Fields), slices.Clone(f.Rows)
					files[f] = &nf
				}
				e.Files[j] = files[f]
			}
		}
		out.Dumps = append(out.Dumps, &nd)
	}
	return out
}

// Shrink returns a smaller world that still fails: it takes away dumps,
// entries, files, rows and fields, one after the other, as long as fails says
// yes. It calls fails often, each time with a world of its own.
func Shrink(w *World, fails func(*World) bool) *World {
	for {
		before := w.size()
		for _, cut := range []func(*World, int) bool{cutDump, cutEntry, cutFile, cutRow, cutField} {
			for i := 0; ; {
				smaller := w.clone()
				if !cut(smaller, i) {
					break
				}
				if fails(smaller.clone()) {
					w = smaller
				} else {
					i++
				}
			}
		}
		if w.size() == before {
			return w
		}
	}
}

// size counts everything that can be cut.
func (w *World) size() int {
	n := len(w.Dumps)
	for _, d := range w.Dumps {
		n += len(d.Entries)
		for _, e := range d.Entries {
			n += len(e.Files)
			for _, f := range e.Files {
				n += len(f.Rows) + len(f.Fields)
			}
		}
	}
	return n
}

// The cut functions take away the thing of index i, counted over the whole
// world, and report whether there was one.

func cutDump(w *World, i int) bool {
	if i >= len(w.Dumps) {
		return false
	}
	w.Dumps = slices.Delete(w.Dumps, i, i+1)
	return true
}

func cutEntry(w *World, i int) bool {
	for _, d := range w.Dumps {
		if i < len(d.Entries) {
			d.Entries = slices.Delete(d.Entries, i, i+1)
			return true
		}
		i -= len(d.Entries)
	}
	return false
}

func cutFile(w *World, i int) bool {
	for _, d := range w.Dumps {
		for n := range d.Entries {
			e := &d.Entries[n]
			if i < len(e.Files) {
				e.Files = slices.Delete(e.Files, i, i+1)
				return true
			}
			i -= len(e.Files)
		}
	}
	return false
}

// files returns every file once.
func (w *World) files() []*File {
	var out []*File
	for _, d := range w.Dumps {
		for _, e := range d.Entries {
			for _, f := range e.Files {
				if !slices.Contains(out, f) {
					out = append(out, f)
				}
			}
		}
	}
	return out
}

func cutRow(w *World, i int) bool {
	for _, f := range w.files() {
		if i < len(f.Rows) {
			f.Rows = slices.Delete(f.Rows, i, i+1)
			f.Rest = min(f.Rest, len(f.Rows))
			return true
		}
		i -= len(f.Rows)
	}
	return false
}

func cutField(w *World, i int) bool {
	for _, f := range w.files() {
		if i < len(f.Fields) {
			f.Fields = slices.Delete(f.Fields, i, i+1)
			for n, row := range f.Rows {
				f.Rows[n] = slices.Delete(slices.Clone(row), i, i+1)
			}
			return true
		}
		i -= len(f.Fields)
	}
	return false
}
