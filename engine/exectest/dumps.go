package exectest

import (
	"fmt"
	"strings"

	"reconcile/engine/model"
)

// dumpOf is a dump whose files get keys of their own.
func dumpOf(id int64, entries ...model.Entry) *model.Dump {
	n := 0
	for _, e := range entries {
		for _, f := range e.Files {
			if f.Key == "" {
				f.Key = fmt.Sprintf("sync_%d/x/part-%05d.avro", id, n)
			}
			n++
		}
	}
	return &model.Dump{ID: id, Entries: entries}
}

// full is an entry of a resync.
func full(table string, files ...*model.File) model.Entry {
	return model.Entry{Table: table, Incremental: model.Bool(false), Files: files}
}

// more is an entry of an incremental dump.
func more(table string, files ...*model.File) model.Entry {
	return model.Entry{Table: table, Incremental: model.Bool(true), Files: files}
}

// listing gives an entry the columns of its manifest.
func listing(e model.Entry, columns string) model.Entry {
	e.Columns = strings.Fields(columns)
	return e
}

// part is a part file with some fields: ids are numbers, all others text.
func part(fields string, rows ...[]any) *model.File {
	f := &model.File{BlockRows: 64}
	for _, name := range strings.Fields(fields) {
		typ := "string"
		if strings.HasSuffix(name, "_id") {
			typ = "long"
		}
		f.Fields = append(f.Fields, model.Field{Name: name, Type: []any{"null", typ}})
	}
	f.Rows = rows
	return f
}

// row is a row of a part file.
func row(values ...any) []any {
	for i, v := range values {
		if n, ok := v.(int); ok {
			values[i] = int64(n)
		}
	}
	return values
}

// events is a part file of so many events from some id on, a few on each of 28 days.
func events(first, n int) *model.File {
	f := part("event_id user_id time path email")
	for i := range n {
		id := first + i
		f.Rows = append(f.Rows, row(id, id%50, fmt.Sprintf("2026-01-%02d 10:00:00", 1+id%28), fmt.Sprintf("/p%d", id%100), fmt.Sprintf("u%d@example.org", id%50)))
	}
	return f
}
