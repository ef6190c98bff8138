package model

import (
	"fmt"
	"slices"
	"strings"
)

// World is everything that a vendor ever delivers, by ascending dump id.
type World struct {
	Dumps []*Dump
}

// Dump is one delivery, as its manifest lists it.
type Dump struct {
	ID      int64
	Entries []Entry
	// TextID writes the id into the manifest as text.
	TextID bool
	// Manifest is the name of the manifest's file; empty for what the vendor calls it.
	Manifest string
}

// Entry is a table in a manifest. One table can have several.
type Entry struct {
	Table       string
	Incremental *bool    // nil: the manifest does not say
	Columns     []string // nil: the manifest has no columns
	Files       []*File
}

// File is a part file. One file can be listed by several entries.
type File struct {
	Key    string // within the bucket
	Fields []Field
	Rows   [][]any // one value a field
	Fault  Fault
	Codec  string // null, deflate, snappy or zstandard; empty is null
	// BlockRows is the number of rows of an Avro block; 0 means 16.
	BlockRows int
	// Rest is how many of the last rows are not there yet. It is a matter of whole
	// blocks, so that what is there is the beginning of the file.
	Rest int
	// Draft says that another file is there still, with the same rows.
	Draft bool
	// Same is the key of a file whose bytes these are, too, if the rest is equal;
	// of other files all bytes differ.
	Same string

	table string // for which Random made it
}

// Field is a field of a file's writer schema. Type is an Avro schema as
// encoding/json decodes one: a string, []any or map[string]any.
//
// The values of a field are nil, bool, int64 (int, long and what is built on
// them), float32, float64, string (string, enum), []byte (bytes, fixed,
// decimal), []any (array) and map[string]any (map, record). A value of a union
// of several types besides null is a Branch.
type Field struct {
	Name string
	Type any
}

// Branch is a value of a union: which of its types, counted from 0, and what.
type Branch struct {
	Index int
	Value any
}

// Fault is what is wrong with a file on disk.
type Fault int

// The faults of a file.
const (
	None Fault = iota
	Missing
	Truncated
	Damaged
	// Keyless has a key under a name that differs by case. Without rows it is
	// Damaged.
	Keyless
)

// Bool returns a pointer to v, for Entry.Incremental.
func Bool(v bool) *bool { return &v }

// Text returns a pointer to s, for the values of a Row.
func Text(s string) *string { return &s }

// The tables that are no event tables.
const (
	users      = "users"
	migrations = "user_migrations"
)

// entries returns the entries of a table.
func (d *Dump) entries(table string) []Entry {
	var out []Entry
	for _, e := range d.Entries {
		if e.Table == table {
			out = append(out, e)
		}
	}
	return out
}

// full reports whether the dump voids what came before it.
func (d *Dump) full(table string) bool {
	es := d.entries(table)
	return len(es) > 0 && es[0].Incremental != nil && !*es[0].Incremental
}

// Unclear reports whether the manifest never says of a table if it is incremental, or
// says both: nothing heals that.
func (d *Dump) Unclear() bool {
	said := map[string]bool{}
	for _, e := range d.Entries {
		if e.Table == migrations {
			continue
		}
		if was, ok := said[e.Table]; e.Incremental == nil || ok && was != *e.Incremental {
			return true
		}
		said[e.Table] = *e.Incremental
	}
	return false
}

// Without returns the dump as if its manifest did not list some tables: what
// skip_dump means.
func (d *Dump) Without(tables ...string) *Dump {
	c := *d
	c.Entries = slices.DeleteFunc(slices.Clone(d.Entries), func(e Entry) bool { return slices.Contains(tables, e.Table) })
	return &c
}

// Tables returns the names of all tables that any manifest lists, sorted.
func (w *World) Tables() []string {
	var out []string
	for _, d := range w.Dumps {
		for _, e := range d.Entries {
			out = append(out, e.Table)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// String shows a world in a failing test's log.
func (w *World) String() string {
	var b strings.Builder
	for _, d := range w.Dumps {
		fmt.Fprintf(&b, "dump %d\n", d.ID)
		for _, e := range d.Entries {
			inc := "unsaid"
			if e.Incremental != nil {
				inc = fmt.Sprint(*e.Incremental)
			}
			fmt.Fprintf(&b, "  %s incremental=%s columns=%q\n", e.Table, inc, e.Columns)
			for _, f := range e.Files {
				f.format(&b)
			}
		}
	}
	return b.String()
}

func (f *File) format(b *strings.Builder) {
	fmt.Fprintf(b, "    %s fault=%d codec=%s rest=%d draft=%t\n", f.Key, f.Fault, f.Codec, f.Rest, f.Draft)
	for i, fd := range f.Fields {
		fmt.Fprintf(b, "      field %d %q %s\n", i, fd.Name, schemaText(fd.Type))
	}
	for i, r := range f.Rows {
		fmt.Fprintf(b, "      row %d %s\n", i, rowText(f.Fields, r))
	}
}

func rowText(fields []Field, row []any) string {
	parts := make([]string, len(row))
	for i, v := range row {
		if v == nil {
			parts[i] = "null"
			continue
		}
		s, _, _ := textOf(fields[i].Type, v)
		parts[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(parts, " ")
}

// fold gives the form in which names are compared.
func fold(name string) string { return strings.ToLower(name) }

// containsFold reports whether a list has a name, compared without case.
func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return fold(s) == fold(name) })
}
