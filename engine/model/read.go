package model

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"unicode/utf8"
)

// record is a delivered row after casts and masks, by the published names of
// its columns in lower case. Ids are as delivered.
type record struct {
	dump      int64
	file, row int
	vals      map[string]*string
	rescue    map[string]map[string]string // column -> name in the file -> original
	fileKey   string
	missing   []string // key columns that are null or bad
	failed    bool     // a value did not cast
}

// Quarantined is a row without its key columns. File is its key in the bucket,
// At its file's place in the manifest and Row its place in the file.
type Quarantined struct {
	Dump    int64
	File    string
	At, Row int
	Columns []string
}

// later reports whether the version of r is greater than that of o.
func (r record) later(o record) bool {
	if r.dump != o.dump {
		return r.dump > o.dump
	}
	if r.file != o.file {
		return r.file > o.file
	}
	return r.row > o.row
}

// id returns an id that has been cast before.
func (r record) id(name string) int64 {
	v, _ := strconv.ParseInt(*r.vals[name], 10, 64)
	return v
}

// read returns all rows of a table in a dump.
func read(d *Dump, table string, keys []string, s Settings) []record {
	var out []record
	e := d.whole(table)
	for file, f := range e.Files {
		for i := range f.present() {
			r := record{dump: d.ID, file: file, row: i, fileKey: f.Key}
			r.vals, r.rescue = map[string]*string{}, map[string]map[string]string{}
			for _, family := range families(f, e, keys, s) {
				r.take(family, f.Fields, f.Rows[i], s)
			}
			for _, k := range keys {
				if r.vals[k] == nil {
					r.missing = append(r.missing, k)
				}
			}
			out = append(out, r)
		}
	}
	return out
}

// family is the fields of a file that feed one column, by the names that they count
// as.
type family struct {
	column string // as published
	names  []string
	fields []int
}

// families groups the fields that are read by their column, the field that
// counts most last: one whose exact name is later in columns, before that those
// that columns have in another spelling only, in the order of the file.
func families(f *File, e Entry, keys []string, s Settings) []family {
	claimed := e.claimed()
	order := make([]int, len(f.Fields))
	for i := range order {
		order[i] = i
	}
	place := func(i int) int {
		name := f.Fields[i].Name
		if claimed[name] != "" {
			name = claimed[name]
		}
		return slices.Index(e.Columns, name)
	}
	slices.SortStableFunc(order, func(a, b int) int { return place(a) - place(b) })
	var out []family
	for _, i := range order {
		name := e.meaning(f, f.Fields[i].Name, claimed, s)
		if name == "" || !listed(s, keys, name) {
			continue
		}
		at := slices.IndexFunc(out, func(fm family) bool { return fm.column == published(s, name) })
		if at < 0 {
			at = len(out)
			out = append(out, family{column: published(s, name)})
		}
		out[at].names = append(out[at].names, name)
		out[at].fields = append(out[at].fields, i)
	}
	return out
}

// take gives r the column that a family of fields delivers.
func (r *record) take(from family, fields []Field, row []any, s Settings) {
	name, delivered := from.column, from.names[0]
	c := s.Column(delivered)
	if c.Mask == "drop" {
		return
	}
	r.vals[name] = nil
	found := false
	for _, i := range slices.Backward(from.fields) {
		text, null, was := textOf(fields[i].Type, row[i])
		switch {
		case null || c.Mask == "null":
		case c.Mask != "":
			if !found {
				r.vals[name] = Text(hmacText(c.Key, text))
			}
			found = true
		case found:
			r.save(name, fields[i].Name, text)
		default:
			v, lost := ruleFor(delivered, c, s).cast(text, was)
			r.vals[name] = v
			r.failed = r.failed || lost && v == nil
			if lost {
				r.save(name, fields[i].Name, text)
			}
			found = true
		}
	}
}

// save rescues the original of a column's field.
func (r *record) save(column, delivered, original string) {
	if !utf8.ValidString(original) {
		original = base64.StdEncoding.EncodeToString([]byte(original))
	}
	if r.rescue[column] == nil {
		r.rescue[column] = map[string]string{}
	}
	r.rescue[column][delivered] = original
}

// rescued returns the text of _rescued_data for what was rescued of some
// columns, nil for nothing.
func rescued(columns map[string]map[string]string) *string {
	all := map[string]string{}
	for _, originals := range columns {
		for name, original := range originals {
			all[name] = original
		}
	}
	if len(all) == 0 {
		return nil
	}
	return Text(marshal(all))
}

func hmacText(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// columnOf is a column by its published name in lower case, and a name that it was
// delivered by.
type columnOf struct{ name, delivered string }

// columnsOf returns the columns that the applied dumps bring; of void dumps only
// what their manifests say.
func columnsOf(applied []*Dump, table string, keys []string, s Settings) []columnOf {
	var out []columnOf
	add := func(name string) {
		if c := (columnOf{published(s, name), name}); !slices.ContainsFunc(out, func(o columnOf) bool { return o.name == c.name }) {
			out = append(out, c)
		}
	}
	for _, k := range keys {
		add(k)
	}
	live := liveFrom(applied, table)
	for _, d := range applied {
		for _, name := range d.whole(table).names(d.ID >= live, s) {
			if listed(s, keys, name) && s.Column(name).Mask != "drop" {
				add(name)
			}
		}
	}
	return out
}
