package export

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
)

// line is a delivered row: its values by column, nil for null.
type line map[string]any

func (l line) id(name string) int64 { return l[name].(int64) }

func (l line) millis(t *testing.T) int64 {
	t.Helper()
	ms, err := strconv.ParseInt(l["time"].(string), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

func readManifest(t *testing.T, dir string, id int) manifest {
	t.Helper()
	data, err := os.ReadFile(manifestName(dir, id))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// delivered reads what a dump holds of a table.
func delivered(t *testing.T, dir string, id int, table string) []line {
	t.Helper()
	var out []line
	for _, m := range readManifest(t, dir, id).Tables {
		if m.Name != table {
			continue
		}
		for _, f := range m.Files {
			out = append(out, readFile(t, filepath.Join(dir, strings.TrimPrefix(f, bucket)))...)
		}
	}
	return out
}

func readFile(t *testing.T, name string) []line {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := goavro.NewOCFReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var out []line
	for r.Scan() {
		v, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		l := line{}
		for name, x := range v.(map[string]any) {
			l[name] = nil
			if u, ok := x.(map[string]any); ok {
				for _, l[name] = range u {
				}
			}
		}
		out = append(out, l)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return out
}

// all reads a table in all dumps.
func all(t *testing.T, dir string, dumps int, table string) []line {
	t.Helper()
	var out []line
	for id := range dumps {
		out = append(out, delivered(t, dir, id+1, table)...)
	}
	return out
}

func distinct(lines []line, column string) int {
	seen := map[any]bool{}
	for _, l := range lines {
		seen[l[column]] = true
	}
	return len(seen)
}
