package model

import (
	"slices"
	"strings"
)

// isExact reports whether a name is one of the eight that the contract means: ids
// and timestamps, in this very spelling.
func isExact(name string) bool {
	return slices.Contains(idNames, name) || slices.Contains(timeNames, name)
}

// sameName reports whether two names are spellings of one: without case, but for
// the eight.
func sameName(a, b string) bool {
	if isExact(a) || isExact(b) {
		return a == b
	}
	return fold(a) == fold(b)
}

func hasName(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return sameName(s, name) })
}

// avroForm is what an Avro writer makes of a name.
func avroForm(name string) string {
	form := ""
	for _, r := range name {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", r) {
			r = '_'
		}
		form += string(r)
	}
	if form != "" && form[0] >= '0' && form[0] <= '9' {
		form = "_" + form
	}
	return form
}

// takenBy returns the label of the block with a new name that takes a delivered
// one: exactly its label, or the Avro form of it.
func takenBy(s Settings, delivered string) string {
	if isExact(delivered) {
		return ""
	}
	renames := s.Renames()
	for _, name := range []string{delivered, avroForm(delivered)} {
		if renames[name] != "" {
			return name
		}
	}
	return ""
}

// published returns the name under which a delivered column is published, in
// lower case, as names are compared without it. Names that are published alike are
// spellings of one column.
func published(s Settings, delivered string) string {
	if label := takenBy(s, delivered); label != "" {
		return fold(s.Renames()[label])
	}
	name := fold(delivered)
	if isExact(delivered) {
		return name
	}
	_, levels := s.Partition()
	taken := append(slices.Clone(levels), reserved...)
	taken = append(append(taken, idNames...), timeNames...)
	for _, as := range s.Renames() {
		taken = append(taken, fold(as))
	}
	if slices.Contains(taken, strings.TrimRight(name, "_")) {
		return name + "_"
	}
	return name
}

// whole is what a dump says of a table: all entries of it as one.
func (d *Dump) whole(table string) Entry {
	out := Entry{Table: table}
	for _, e := range d.entries(table) {
		out.Incremental = e.Incremental
		out.Files = append(out.Files, e.Files...)
		if e.Columns != nil && out.Columns == nil {
			out.Columns = []string{}
		}
		for _, c := range e.Columns {
			if !slices.Contains(out.Columns, c) {
				out.Columns = append(out.Columns, c)
			}
		}
	}
	return out
}

// claimed returns the listed names that stand for fields by their Avro form, by
// field.
func (e Entry) claimed() map[string]string {
	var fields []string
	for _, f := range e.Files {
		for _, fd := range f.Fields {
			fields = append(fields, fd.Name)
		}
	}
	out := map[string]string{}
	for _, name := range e.Columns {
		form := avroForm(name)
		if !hasName(fields, name) && slices.Contains(fields, form) && !hasName(e.Columns, form) && !isExact(form) && out[form] == "" {
			out[form] = name
		}
	}
	return out
}

// meaning is the delivered name that a field of a file counts as, empty if it is
// not published.
func (e Entry) meaning(f *File, field string, claimed map[string]string, s Settings) string {
	switch {
	case e.Columns == nil, isExact(field), slices.Contains(e.Columns, field):
		return field
	case claimed[field] != "":
		return claimed[field]
	case !hasName(e.Columns, field):
		return ""
	}
	listed := e.Columns[slices.IndexFunc(e.Columns, func(c string) bool { return sameName(c, field) })]
	carried := slices.ContainsFunc(f.Fields, func(fd Field) bool { return fd.Name == listed })
	if takenBy(s, field) == "" && takenBy(s, listed) != "" && !carried {
		return listed
	}
	return field
}

// names returns what an entry delivers: the manifest's columns and, if its files
// are read, what their fields mean.
func (e Entry) names(readable bool, s Settings) []string {
	out := slices.Clone(e.Columns)
	if !readable {
		return out
	}
	claimed := e.claimed()
	for _, f := range e.Files {
		for _, fd := range f.Fields {
			if name := e.meaning(f, fd.Name, claimed, s); name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}
