package main

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"reconcile/engine/model"
)

const bucket = "s3://csq-rs3-acme/"

// manifest is the marker that makes a dump exist.
type manifest struct {
	DumpID      int64           `json:"dump_id"`
	Tables      []manifestTable `json:"tables"`
	Definitions string          `json:"property_definitions"`
}

type manifestTable struct {
	Name        string   `json:"name"`
	Files       []string `json:"files"`
	Columns     []string `json:"columns"`
	Incremental bool     `json:"incremental"`
}

// write puts the dump into the export: part files, then the manifest, then the
// report of the sync.
func (d *delivery) write(dir string) error {
	definitions := fmt.Sprintf("sync_%d/property_definitions.json", d.id)
	m := manifest{DumpID: d.id, Definitions: bucket + definitions}
	files := &model.Dump{ID: d.id}
	for _, t := range d.tables {
		mt := manifestTable{Name: t.name, Files: []string{}, Incremental: !t.full}
		entry := model.Entry{Table: t.name}
		for i, p := range t.parts {
			f, err := p.file(fmt.Sprintf("sync_%d/_heap_table_name=%s/part-%05d", d.id, t.name, i))
			if err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
			entry.Files = append(entry.Files, f)
			mt.Files = append(mt.Files, bucket+f.Key)
		}
		for _, c := range t.parts[0].columns {
			mt.Columns = append(mt.Columns, c.name)
		}
		files.Entries = append(files.Entries, entry)
		m.Tables = append(m.Tables, mt)
	}
	if err := files.WriteFiles(dir); err != nil {
		return err
	}
	if err := putJSON(dir, definitions, []any{}); err != nil {
		return err
	}
	if err := putJSON(dir, fmt.Sprintf("manifests/sync_%d.json", d.id), m); err != nil {
		return err
	}
	done := clock(int(d.id-994), 7, 0)
	return putJSON(dir, fmt.Sprintf("sync_reports/sync_%d.json", d.id), map[string]any{
		"start_time": done.Add(-40 * time.Minute).UnixMilli(), "finish_time": done.UnixMilli(),
		"next_sync_at": done.Add(24 * time.Hour).UnixMilli(), "status": "success", "error": nil})
}

func putJSON(dir, key string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	name := filepath.Join(dir, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o644)
}

// file turns a part into an Avro file. Its name ends in a uuid, as the vendor's
// do; this one is made from the name.
func (p *part) file(key string) (*model.File, error) {
	u := md5.Sum([]byte(key))
	f := &model.File{Key: fmt.Sprintf("%s-%x-%x-%x-%x-%x.avro", key, u[:4], u[4:6], u[6:8], u[8:10], u[10:]), Codec: p.codec, BlockRows: 200}
	for _, c := range p.columns {
		f.Fields = append(f.Fields, model.Field{Name: c.name, Type: []any{"null", c.kind.avro()}})
	}
	for _, r := range p.rows {
		values := make([]any, len(p.columns))
		for i, c := range p.columns {
			v, err := c.kind.value(r[c.name])
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", c.name, err)
			}
			values[i] = v
		}
		f.Rows = append(f.Rows, values)
	}
	return f, nil
}

// avro is the type that a file writes.
func (k kind) avro() string {
	if k == asLong || k == asMillis {
		return "long"
	}
	return "string"
}

// value is how a file writes a value.
func (k kind) value(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		if k.avro() == "string" {
			return v, nil
		}
	case int:
		if k == asText {
			return strconv.Itoa(v), nil
		}
	case int64:
		if k == asLong {
			return v, nil
		}
	case time.Time:
		switch k {
		case asMillis:
			return v.UnixMilli(), nil
		case asDigits:
			return strconv.FormatInt(v.UnixMilli(), 10), nil
		case asClock:
			return v.Format("2006-01-02 15:04:05.000"), nil
		}
	}
	return nil, fmt.Errorf("a %T cannot be written so", v)
}
