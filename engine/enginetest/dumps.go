package enginetest

import (
	"fmt"
	"strings"

	"reconcile/engine/model"
)

// DumpOf is a dump whose files get keys of their own, those that have none.
func DumpOf(id int64, entries ...model.Entry) *model.Dump {
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

// Full is an entry of a resync.
func Full(table string, files ...*model.File) model.Entry {
	return model.Entry{Table: table, Incremental: model.Bool(false), Files: files}
}

// More is an entry of an incremental dump.
func More(table string, files ...*model.File) model.Entry {
	return model.Entry{Table: table, Incremental: model.Bool(true), Files: files}
}

// WithColumns gives an entry the columns of its manifest.
func WithColumns(e model.Entry, columns string) model.Entry {
	e.Columns = strings.Fields(columns)
	return e
}

// composed are the Avro types that Part knows beside the plain ones.
var composed = map[string]any{
	"date":    map[string]any{"type": "int", "logicalType": "date"},
	"tms":     map[string]any{"type": "int", "logicalType": "time-millis"},
	"tus":     map[string]any{"type": "long", "logicalType": "time-micros"},
	"ms":      map[string]any{"type": "long", "logicalType": "timestamp-millis"},
	"us":      map[string]any{"type": "long", "logicalType": "timestamp-micros"},
	"localms": map[string]any{"type": "long", "logicalType": "local-timestamp-millis"},
	"dec":     map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 12.0, "scale": 2.0},
	"dec0":    map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 12.0, "scale": 0.0},
	"uuid":    map[string]any{"type": "string", "logicalType": "uuid"},
	"ints":    map[string]any{"type": "array", "items": "int"},
	"map":     map[string]any{"type": "map", "values": []any{"null", "string"}},
	"rec": map[string]any{"type": "record", "name": "R", "fields": []any{
		map[string]any{"name": "z", "type": []any{"null", "string"}}, map[string]any{"name": "a", "type": "double"}}},
	"enum": map[string]any{"type": "enum", "name": "E", "symbols": []any{"RED", "BLUE"}},
	"fix":  map[string]any{"type": "fixed", "name": "F", "size": 2.0},
}

// AvroType is the Avro type that a name stands for in Part.
func AvroType(name string) any {
	if t, ok := composed[name]; ok {
		return t
	}
	return name
}

// Part is a part file of nullable fields, "name" or "name:type". Without a type, ids are
// numbers and all others are text.
func Part(fields string, rows ...[]any) *model.File {
	f := &model.File{}
	for _, w := range strings.Fields(fields) {
		name, typ, _ := strings.Cut(w, ":")
		switch {
		case typ != "":
		case strings.HasSuffix(name, "_id"):
			typ = "long"
		default:
			typ = "string"
		}
		f.Fields = append(f.Fields, model.Field{Name: name, Type: []any{"null", AvroType(typ)}})
	}
	for _, r := range rows {
		f.Rows = append(f.Rows, Row(r...))
	}
	return f
}

// Row is a row of a part file. An int stands for an int64.
func Row(values ...any) []any {
	for i, v := range values {
		if n, ok := v.(int); ok {
			values[i] = int64(n)
		}
	}
	return values
}
