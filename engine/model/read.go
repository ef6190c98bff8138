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

// record is a delivered row after casts and masks, by the delivered names of
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
	file := 0
	for _, e := range d.entries(table) {
		for _, f := range e.Files {
			for i := range f.Rows {
				r := record{dump: d.ID, file: file, row: i, fileKey: f.Key}
				r.vals, r.rescue = map[string]*string{}, map[string]map[string]string{}
				for name, family := range families(f, e.Columns, keys, s) {
					r.take(name, family, f.Fields, f.Rows[i], s)
				}
				for _, k := range keys {
					if r.vals[k] == nil {
						r.missing = append(r.missing, k)
					}
				}
				out = append(out, r)
			}
			file++
		}
	}
	return out
}

// families groups the fields that are read by their column, the field that
// counts most last: one whose exact name is later in columns, before that those
// that columns have in another spelling only, in the order of the file.
func families(f *File, columns, keys []string, s Settings) map[string][]int {
	out := map[string][]int{}
	for i, fd := range f.Fields {
		if (columns == nil || containsFold(columns, fd.Name) || containsFold(keys, fd.Name)) && listed(s, keys, fd.Name) {
			out[fold(fd.Name)] = append(out[fold(fd.Name)], i)
		}
	}
	for _, family := range out {
		slices.SortStableFunc(family, func(a, b int) int {
			return slices.Index(columns, f.Fields[a].Name) - slices.Index(columns, f.Fields[b].Name)
		})
	}
	return out
}

// take gives r the column that a family of fields delivers.
func (r *record) take(name string, family []int, fields []Field, row []any, s Settings) {
	c := s.Column(name)
	if c.Mask == "drop" {
		return
	}
	r.vals[name] = nil
	found := false
	for _, i := range slices.Backward(family) {
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
			v, lost := ruleFor(name, c, s).cast(text, was)
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

// columnsOf returns the columns that the applied dumps bring, by their delivered
// names in lower case; of void dumps only what their manifests say.
func columnsOf(applied []*Dump, table string, keys []string, s Settings) []string {
	out := slices.Clone(keys)
	live := liveFrom(applied, table)
	for _, d := range applied {
		for _, e := range d.entries(table) {
			for _, name := range delivered(e, d.ID >= live) {
				if listed(s, keys, name) && s.Column(name).Mask != "drop" {
					out = append(out, fold(name))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// delivered returns the names that an entry delivers: the manifest's columns,
// or without those the fields of its files, if they are read.
func delivered(e Entry, readable bool) []string {
	if e.Columns != nil || !readable {
		return e.Columns
	}
	var out []string
	for _, f := range e.Files {
		for _, fd := range f.Fields {
			out = append(out, fd.Name)
		}
	}
	return out
}
