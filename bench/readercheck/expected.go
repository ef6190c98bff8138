package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"reconcile/engine/model"
	"reconcile/internal/definition"
)

// expectedTable is what a reader must find below lake/<folder>.
type expectedTable struct {
	Name      string               `json:"name"`
	Folder    string               `json:"folder"`
	Partition []string             `json:"partition"` // the levels of folders
	Columns   map[string]string    `json:"columns"`   // type by name in lower case
	Key       []string             `json:"key"`
	Rows      []map[string]*string `json:"rows"` // canonical texts by column, those of partitions included
}

// ours are the types of the columns that the program adds.
var ours = map[string]string{"_raw_user_id": "int64", "_dump_id": "int64", "_rescued_data": "string", "canonical_user_id": "int64"}

func describe(t *definition.Table, delivered []string, want *model.Table) expectedTable {
	types := map[string]string{}
	for _, name := range delivered {
		c := t.Column(name)
		types[strings.ToLower(c.As)] = c.Type.String()
		if c.Mask != definition.MaskNone {
			types[strings.ToLower(c.As)] = "string"
		}
	}
	e := expectedTable{Name: t.Name, Folder: t.Folder, Partition: t.Partition.Levels(), Columns: map[string]string{}, Rows: []map[string]*string{}}
	for _, name := range want.Columns {
		e.Columns[name] = types[name]
		if typ, ok := ours[name]; ok {
			e.Columns[name] = typ
		}
	}
	switch {
	case t.Name == "user_migrations":
		e.Key = []string{"from_user_id"}
	case t.Name == "users":
		e.Key = []string{"user_id"}
	case t.Name != "sessions" && slices.Contains(want.Columns, "event_id"):
		e.Key = []string{"event_id", "user_id"}
	default:
		e.Key = []string{"session_id", "user_id"}
	}
	for _, row := range want.Rows {
		e.Rows = append(e.Rows, withPartition(row))
	}
	return e
}

// withPartition gives a row the columns that stand in its folder's name only.
func withPartition(row model.Row) map[string]*string {
	out := row.Values
	if row.Partition == "" {
		return out
	}
	for _, level := range strings.Split(row.Partition, "/") {
		name, value, _ := strings.Cut(level, "=")
		out[name] = &value
		if value == "__HIVE_DEFAULT_PARTITION__" {
			out[name] = nil
		}
	}
	return out
}

func writeExpected(path string, tables []expectedTable) error {
	text, err := json.Marshal(map[string]any{"tables": tables})
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, text, 0o600)
}
