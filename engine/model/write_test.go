package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/big"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/linkedin/goavro/v2"
)

// readBack reads a container with goavro, as texts by field; null is "null".
func readBack(data []byte, f *File) ([]map[string]string, error) {
	r, err := goavro.NewOCFReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out := []map[string]string{}
	for r.Scan() {
		v, err := r.Read()
		if err != nil {
			return nil, err
		}
		row := map[string]string{}
		for _, fd := range f.Fields {
			row[fd.Name] = fmt.Sprint(plain(v.(map[string]any)[fd.Name]))
		}
		out = append(out, row)
	}
	return out, r.Err()
}

// plain turns goavro's values into those that File.Rows has, unions unwrapped.
func plain(v any) any {
	switch v := v.(type) {
	case nil:
		return "null"
	case int32:
		return int64(v)
	case time.Time:
		return v.UnixMicro()
	case *big.Rat:
		return v.FloatString(2)
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, plain(item))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, item := range v {
			if len(v) == 1 && (k == "string" || k == "bytes" || k == "long" || k == "double" || k == "boolean" || k == "float" ||
				k == "array" || k == "map" || k == "size" || k == "code" || k == "place" || len(k) > 5 && (k[:5] == "long." || k[:4] == "int." || k[:5] == "bytes")) {
				return plain(item)
			}
			out[k] = plain(item)
		}
		return out
	}
	return v
}

// asGoavro is what readBack should give for a row.
func asGoavro(f *File, row []any) map[string]string {
	out := map[string]string{}
	for i, fd := range f.Fields {
		schema, v := branch(fd.Type, row[i])
		name, logical := "null", ""
		if v != nil {
			name, logical, _ = kindOf(schema)
		}
		switch {
		case logical == "timestamp-millis":
			v = v.(int64) * 1000
		case logical == "date":
			v = v.(int64) * 86_400_000_000
		case logical == "decimal":
			v = new(big.Rat).SetFrac64(big.NewInt(0).SetBytes(v.([]byte)).Int64(), 100).FloatString(2)
			if row[i].([]byte)[0] == 0xff {
				v = "-0.01"
			}
		case name == "null", name == "array", name == "map", name == "record":
			v = plain(v)
		}
		out[fd.Name] = fmt.Sprint(v)
	}
	return out
}

func TestFilesAreReadableByOthers(t *testing.T) {
	rows := 0
	for seed := range int64(15) {
		for _, f := range Random(rand.New(rand.NewSource(seed)), GenOptions{}).files() {
			data, err := f.encode()
			if err != nil {
				t.Fatal(err)
			}
			if f.Codec == "zstandard" {
				continue // goavro does not know it
			}
			got, err := readBack(data, f)
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, f.Key, err)
			}
			want := []map[string]string{}
			for _, row := range f.Rows {
				want = append(want, asGoavro(f, row))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d, %s\n%s", seed, f.Key, d)
			}
			rows += len(got)
		}
	}
	if rows < 1000 {
		t.Errorf("only %d rows were compared", rows)
	}
}

func TestCodecs(t *testing.T) {
	for _, codec := range []string{"null", "deflate", "snappy", "zstandard"} {
		f := part("a b", "1 2", "- 4", "5 -")
		f.Codec, f.BlockRows = codec, 2
		data, err := f.encode()
		if err != nil || !bytes.Contains(data, []byte(codec)) {
			t.Errorf("%s: %v", codec, err)
		}
	}
	f := part("a")
	f.Codec, f.Rows = "lzma", [][]any{{"x"}}
	if _, err := f.encode(); err == nil {
		t.Error("an unknown codec was accepted")
	}
	f.Codec, f.Rows = "", [][]any{{5.0}}
	if _, err := f.encode(); err == nil {
		t.Error("a double was written as a string")
	}
}

func TestEveryFaultIsSeen(t *testing.T) {
	for _, fault := range []Fault{Truncated, Damaged} {
		for n := range 40 {
			f := part("a b")
			for i := range n % 5 {
				f.Rows = append(f.Rows, []any{fmt.Sprint(i), string(make([]byte, n))})
			}
			f.Fault, f.BlockRows, f.Codec = fault, 2, []string{"null", "snappy", "deflate"}[n%3]
			data, err := f.encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := readBack(data, f); err != nil {
				t.Fatal(err)
			}
			if _, err := readBack(f.spoil(data), f); err == nil {
				t.Errorf("fault %d of a file of %d rows with codec %s is not seen", fault, len(f.Rows), f.Codec)
			}
		}
	}
}

// tree reads all files of a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWriteAndHeal(t *testing.T) {
	d := withColumns(dump(1234, false, "Add To Cart", part(ev, "1 5 a"), part(ev, "2 5 b")), ev)
	d.Entries = append(d.Entries, Entry{Table: migrations, Incremental: Bool(true)}, Entry{Table: "x", Columns: []string{}})
	d.Entries[0].Files[0].Key, d.Entries[0].Files[1].Key = "sync_1234/a/part-0.avro", "sync_1234/a/part-1.avro"
	whole, dir := t.TempDir(), t.TempDir()
	if err := d.Write(whole); err != nil {
		t.Fatal(err)
	}
	d.Entries[0].Files[0].Fault, d.Entries[0].Files[1].Fault = Missing, Truncated
	if err := d.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); len(got) != 1 || len(got["sync_1234/a/part-1.avro"]) == 0 {
		t.Errorf("there are %d files without a manifest", len(got))
	}
	if err := d.Write(dir); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(tree(t, whole), tree(t, dir)); d == "" {
		t.Error("the faults left no trace")
	}
	if err := d.Heal(dir); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(tree(t, whole), tree(t, dir)); d != "" {
		t.Error(d)
	}
	var got, want any
	if err := json.Unmarshal([]byte(tree(t, dir)["manifests/sync_1234.json"]), &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(`{"dump_id":1234,"tables":[
		{"name":"Add To Cart","columns":["event_id","user_id","v"],"incremental":false,
		 "files":["s3://csq-rs3-test/sync_1234/a/part-0.avro","s3://csq-rs3-test/sync_1234/a/part-1.avro"]},
		{"name":"user_migrations","files":[],"incremental":true},
		{"name":"x","files":[],"columns":[]}]}`), &want)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	d.TextID = true
	if err := d.WriteManifest(dir); err != nil || !bytes.Contains([]byte(tree(t, dir)[d.ManifestKey()]), []byte(`"dump_id":"1234"`)) {
		t.Error("no text for an id", err)
	}
}
