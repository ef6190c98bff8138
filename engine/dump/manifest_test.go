package dump

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, s string) *manifest {
	t.Helper()
	m, err := parseManifest([]byte(s), addresses{}, &columnLists{})
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return m
}

func TestDumpID(t *testing.T) {
	for text, want := range map[string]int64{
		`1234`: 1234, `"1234"`: 1234, `" 1234\n"`: 1234, `0`: 0, `-5`: -5, `"007"`: 7,
		`9223372036854775807`: math.MaxInt64, `"-9223372036854775808"`: math.MinInt64,
		`9007199254740993`: 9007199254740993,
	} {
		m := parse(t, `{"dump_id":`+text+`,"tables":[]}`)
		if !m.hasID || m.id != want || m.faulty > 0 {
			t.Errorf("%s: %d, %s", text, m.id, m.reason())
		}
	}
	for _, text := range []string{
		`1e3`, `1.5`, `1.0`, `9223372036854775808`, `"1e3"`, `"+5"`, `""`, `"x"`, `"1_000"`, `"0x10"`, `true`, `[1]`, `{}`, `null`,
	} {
		m := parse(t, `{"dump_id":`+text+`,"tables":[]}`)
		if m.hasID || m.faulty != 1 || !strings.Contains(m.reason(), "dump_id") {
			t.Errorf("%s: taken as %d, %q", text, m.id, m.reason())
		}
	}
}

func TestBrokenManifests(t *testing.T) {
	for text, want := range map[string]string{
		``:                         "empty",
		"\ufeff \n":                "empty",
		`{"dump_id":1,"tables":[`:  "ends in the middle",
		`{"dump_id":1,"tables":x}`: `not valid JSON: no value in line 1, column 23, at "x}"`,
		`{"dump_id":1} {}`:         "something after the end",
		`[]`:                       "a list, and not one JSON object",
		`5`:                        "not a JSON object",
		"{\n\"é\": 1,\n // a comment that goes on and on and on\n}":         `no string in line 3, column 2, at "// a comment that goes on and ..."`,
		"{\"dump_id\":1,\"columns\":[\"a\",]}":                              `no value in line 1, column 29, at "]}"`,
		"{\"dump_id\":1}\n{\"dump_id\":2}":                                  "something after the end in line 2, column 1",
		"\x1f\x8b\x08\x00":                                                  "packed with gzip",
		"\xff\xfe{\x00}\x00":                                                "in UTF-16",
		"\xfe\xff\x00{\x00}":                                                "in UTF-16",
		"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>": "the error message AccessDenied of an S3 server",
		"<!DOCTYPE html><html>":                                             "the page of a server",
		"{\"dump_id\":1,\"\xff\"}":                                          "not valid UTF-8",
	} {
		if _, err := parseManifest([]byte(text), addresses{}, &columnLists{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestFaultsHoldTheDump(t *testing.T) {
	table := func(s string) string {
		return `{"dump_id":7,"tables":[{"name":"ok","files":[],"incremental":true},` + s + `]}`
	}
	file := func(s string) string { return table(`{"name":"t","incremental":true,"files":["` + s + `"]}`) }
	for text, want := range map[string]string{
		`{"dump_id":7}`:                          "has no tables",
		`{"tables":[]}`:                          "has no dump_id",
		`{}`:                                     "has no dump_id; it has no tables",
		`{"dump_id":7,"tables":null}`:            "has no tables",
		`{"dump_id":7,"tables":{}}`:              "tables are not a list",
		`{"dump_id":7,"dump_id":8,"tables":[]}`:  "says dump_id twice",
		`{"dump_id":7,"tables":[],"tables":[]}`:  "says tables twice",
		table(`5`):                               "entry 2 of its tables is not an object",
		table(`{"files":[],"incremental":true}`): "entry 2 of its tables has no name",
		table(`{"name":"","files":[],"incremental":true}`):             "entry 2 of its tables has no name",
		table(`{"name":5,"files":[],"incremental":true}`):              "entry 2 of its tables has no name",
		table(`{"name":"t","name":"u","files":[],"incremental":true}`): `table "t", entry 2 of its tables, says name twice`,
		table(`{"files":["../a"],"incremental":true,"name":"late"}`):   `a file of table "late", entry 2 of its tables, has the address "../a"`,
		table(`{"files":["../a"],"incremental":true}`):                 `a file of entry 2 of its tables has the address "../a", which is never read: ".." would lead elsewhere; entry 2 of its tables has no name`,
		file(`s3://b/../x`):        "s3://b/../x",
		file(`s3://b/a/../../x`):   "would lead elsewhere",
		file(`../x`):               "../x",
		file(`/etc/passwd`):        "absolute",
		file(`//etc/passwd`):       "absolute",
		file(`s3://b//../x`):       "would lead elsewhere",
		file(`s3://b/a//../../x`):  "would lead elsewhere",
		file(`s3://b/`):            "lacks a bucket or a key",
		file(`s3://b`):             "lacks a bucket or a key",
		file(`s3:///k`):            "lacks a bucket or a key",
		file(``):                   "empty",
		file(`a\u0000b`):           "NUL",
		file(`https://h/k`):        "not on S3",
		file(`file:///etc/passwd`): "not on S3",
		`{"dump_id":7,"tables":[],"property_definitions":"s3://b/../x"}`: "property_definitions has the address",
	} {
		if m := parse(t, text); !strings.Contains(m.reason(), want) {
			t.Errorf("%s:\n got %q\nwant %q", text, m.reason(), want)
		}
	}
	m := parse(t, table(`{"name":"t","incremental":true,"files":["..","..","..","..",".."]}`))
	if m.faulty != 5 || !strings.HasSuffix(m.reason(), "and 2 more like these") {
		t.Errorf("many faults: %d, %s", m.faulty, m.reason())
	}
}

func TestProblemsHoldTheTable(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"t","files":[]}`:                                                                                                  "does not say, by true or false without quotes, whether it is incremental",
		`{"name":"t","files":[],"incremental":null}`:                                                                               "whether it is incremental",
		`{"name":"t","files":[],"incremental":"true"}`:                                                                             "whether it is incremental",
		`{"incremental":1,"files":[],"name":"t"}`:                                                                                  "whether it is incremental",
		`{"name":"t","incremental":false}`:                                                                                         "no files",
		`{"name":"t","incremental":false,"files":null}`:                                                                            "files in the manifest are not a list",
		`{"name":"t","incremental":false,"files":"a"}`:                                                                             "files in the manifest are not a list",
		`{"name":"t","incremental":false,"files":["a",5]}`:                                                                         "not all addresses",
		`{"name":"t","incremental":false,"files":[],"columns":"a"}`:                                                                "columns in the manifest are not a list",
		`{"name":"t","incremental":false,"files":[],"columns":[{"n":1}]}`:                                                          "not all names",
		`{"name":"t","incremental":false,"files":[],"columns":["a",""]}`:                                                           "empty name",
		`{"name":"t","incremental":true,"files":[],"columns":["a","\u0000raw"]}`:                                                   `"\x00raw" in the manifest has a NUL`,
		`{"name":"t","files":[],"files":["a"],"incremental":true}`:                                                                 "says its files twice",
		`{"name":"user_migrations"}`:                                                                                               "no files",
		`{"name":"t","files":[],"incremental":true}`:                                                                               "",
		`{"name":"t","files":[],"incremental":true,"columns":null}`:                                                                "",
		`{"name":"user_migrations","files":[]}`:                                                                                    "",
		`{"incremental":"never","name":"user_migrations","files":[]}`:                                                              "",
		`{"name":"t","files":["a"],"incremental":true},{"name":"t","files":["b"],"incremental":false}`:                             "lists it twice",
		`{"name":"t","files":["a"],"incremental":true},{"name":"t","files":["b"]}`:                                                 "twice",
		`{"name":"user_migrations","files":["a"],"incremental":true},{"name":"user_migrations","files":["b"],"incremental":false}`: "",
	} {
		m := parse(t, `{"dump_id":1,"tables":[`+text+`]}`)
		if m.faulty > 0 {
			t.Errorf("%s: holds the dump: %s", text, m.reason())
			continue
		}
		es := unite(m.entries)
		if len(es) != 1 || (es[0].Problem == "") != (want == "") || !strings.Contains(es[0].Problem, want) {
			t.Errorf("%s: got %q, want %q", text, es[0].Problem, want)
		}
	}
}

func TestEntry(t *testing.T) {
	m := parse(t, "\ufeff"+`{"v":{"dump_id":5},"tables":[
		{"name":"z","files":[],"incremental":false,"more":[1,{"files":2}]},
		{"name":"a","files":["s3://any/k%20/1","S3a://o/k/2","k/3","s3n://b/k/2"],"columns":["X","x","y","x"],"incremental":true}],
		"dump_id":12,"property_definitions":"s3://any/sync_12/property_definitions.json"}`)
	if m.faulty > 0 || m.id != 12 || m.properties != "sync_12/property_definitions.json" {
		t.Fatalf("%+v", m)
	}
	d := &Dump{Entries: unite(m.entries)}
	a, z := d.Entry("a"), d.Entry("z")
	if a == nil || z == nil || d.Entry("A") != nil {
		t.Fatal("Entry finds the wrong ones")
	}
	keys := a.listed
	if want := []string{"k%20/1", "k/2", "k/3", "k/2"}; !slices.Equal(keys, want) {
		t.Errorf("keys are %q, want %q", keys, want)
	}
	if !a.Incremental || !a.HasColumns || !slices.Equal(a.Columns, []string{"X", "x", "y", "x"}) {
		t.Errorf("%+v", a)
	}
	if z.Incremental || z.HasColumns || len(z.listed) != 0 || z.Problem != "" {
		t.Errorf("%+v", z)
	}
}

func TestTwiceListedIsConcatenated(t *testing.T) {
	m := parse(t, `{"dump_id":1,"tables":[
		{"name":"t","files":["b","a"],"incremental":true,"columns":["x","y"]},
		{"name":"s","files":["q"],"incremental":true},
		{"name":"t","files":["c","a"],"incremental":true,"columns":["z","x"]}]}`)
	once := parse(t, `{"dump_id":1,"tables":[{"name":"t","files":["b","a","c","a"],"incremental":true,"columns":["x","y","z"]}]}`)
	twice := (&Dump{Entries: unite(m.entries)}).Entry("t")
	got, _ := twice.digest(nil)
	want, _ := once.entries[0].digest(nil)
	if got != want {
		t.Errorf("%+v does not mean what %+v does", twice, once.entries[0])
	}
	m = parse(t, `{"dump_id":1,"tables":[
		{"name":"t","files":["b"],"incremental":true},{"name":"t","files":["c"],"incremental":true,"columns":["x"]}]}`)
	if e := unite(m.entries)[0]; !e.HasColumns || !slices.Equal(e.Columns, []string{"x"}) || len(e.listed) != 2 {
		t.Errorf("%+v", e)
	}
}

// TestEmptyNames: on S3 keys are literal; a mirror of them has folders.
func TestEmptyNames(t *testing.T) {
	for url, want := range map[string][2]string{
		"s3://b//etc/x":  {"/etc/x", "etc/x"},
		"s3://b/a//c":    {"a//c", "a/c"},
		"s3://b/a///c/":  {"a///c/", "a/c/"},
		"a//c":           {"a//c", "a/c"},
		"s3://b////a//c": {"///a//c", "a/c"},
	} {
		for i, literal := range []bool{true, false} {
			key, err := addresses{literal: literal}.key(url)
			if strings.HasSuffix(want[i], "/") && !literal {
				if err == nil {
					t.Errorf("%s: a folder is taken for a file, %s", url, key)
				}
				continue
			}
			if key != want[i] || err != nil {
				t.Errorf("%s, literal %v: %q, %v, want %q", url, literal, key, err, want[i])
			}
		}
	}
}

// TestMeaning says which differences between two manifests count.
func TestMeaning(t *testing.T) {
	base := `{"dump_id":1,"tables":[{"name":"t","files":["s3://b/f","s3://b/g"],"columns":["x","y"],"incremental":true},{"name":"u","files":[],"incremental":false}],"property_definitions":"s3://b/p"}`
	digest := func(s string) string {
		d := &Dump{}
		m := parse(t, s)
		d.Entries, d.Properties = unite(m.entries), m.properties
		d.seal()
		return d.Digest
	}
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(base) }
	same := map[string]string{
		"blanks":       change(",", " , ", ":[", ": ["),
		"unknown keys": change(`"dump_id"`, `"v":2,"dump_id"`, `"name"`, `"rows":5,"name"`),
		"bucket":       change("s3://b/", "s3a://other/"),
		"text id":      change(`"dump_id":1`, `"dump_id":"1"`),
		"escapes":      change(`"x"`, `"\u0078"`),
		"properties":   change(`s3://b/p`, `s3://b/q`),
		"table order":  `{"dump_id":1,"tables":[{"name":"u","files":[],"incremental":false},{"name":"t","files":["f","g"],"columns":["x","y"],"incremental":true}],"property_definitions":"p"}`,
	}
	differ := map[string]string{
		"name":         change(`"u"`, `"v"`),
		"incremental":  change("true", "false"),
		"column":       change(`"y"`, `"z"`),
		"column order": change(`"x","y"`, `"y","x"`),
		"no columns":   change(`"columns":["x","y"],`, ``),
		"few columns":  change(`["x","y"]`, `[]`),
		"file order":   change(`"s3://b/f","s3://b/g"`, `"s3://b/g","s3://b/f"`),
		"file":         change(`"s3://b/f",`, ``),
		"twice":        change(`"s3://b/f",`, `"s3://b/f","s3://b/f",`),
		"split text":   change(`["x","y"]`, `["xy"]`),
		"table":        change(`,{"name":"u","files":[],"incremental":false}`, ``),
	}
	for what, s := range same {
		if digest(s) != digest(base) {
			t.Errorf("%s must not count", what)
		}
	}
	seen := map[string]string{digest(base): "base"}
	for what, s := range differ {
		d := digest(s)
		if other := seen[d]; other != "" {
			t.Errorf("%s is not told from %s", what, other)
		}
		seen[d] = what
	}
}

// FuzzManifest feeds anything to the parser and compares what it takes with the
// standard library's view of the same text.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		`{"dump_id":1234,"tables":[{"name":"t","files":["s3://b/k"],"columns":["a"],"incremental":true}],"property_definitions":"s3://b/p"}`,
		`{"dump_id":"12","tables":[{"name":"t","files":[],"incremental":false},{"name":"t","files":["x"],"incremental":false}]}`,
		`{"dump_id":1e3,"tables":{}}`, `{"tables":[{"name":"","files":["../x"]}]}`, `{"dump_id":1,"tables":[null,5,"x"]}`,
		"\ufeff{}", `[`, `{"dump_id":1,"tables":[{"name":"t","files":["a\u0000"]}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lists := &columnLists{}
		m, err := parseManifest(data, addresses{}, lists)
		again, errAgain := parseManifest(data, addresses{}, lists)
		if fmt.Sprint(err) != fmt.Sprint(errAgain) || !reflect.DeepEqual(m, again) {
			t.Fatalf("read again it is %v, %v, not %v, %v", again, errAgain, m, err)
		}
		if err != nil || m.faulty > 0 {
			return
		}
		var ref struct {
			Tables []map[string]json.RawMessage `json:"tables"`
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(string(data), "\ufeff")), &ref); err != nil {
			// Names that differ by case confuse the library, not the parser.
			t.Skip()
		}
		if len(ref.Tables) != len(m.entries) && strings.Count(strings.ToLower(string(data)), "tables") == 1 {
			t.Fatalf("%d tables, want %d", len(m.entries), len(ref.Tables))
		}
		for _, e := range unite(m.entries) {
			if e.Name == "" {
				t.Fatal("a table without a name")
			}
			for _, key := range e.listed {
				if strings.HasPrefix(key, "/") || strings.Contains("/"+key+"/", "/../") {
					t.Fatalf("key %q climbs out", key)
				}
			}
		}
	})
}

// Lists of columns are read once, and again where they differ at all.
func TestColumnsAgain(t *testing.T) {
	lists := &columnLists{}
	for _, c := range []string{`["a","b"]`, `["a","b"]`, `["a"]`, `["a","b"]`, `[ "a" , "b" ]`, `["a","b","c"]`, `["\u0061"]`, `["\u0061"]`, `[1]`, `[]`, `[]`} {
		for _, table := range []string{"t", "u"} {
			text := []byte(`{"dump_id":1,"tables":[{"name":"` + table + `","files":[],"incremental":true,"columns":` + c + `}]}`)
			got, err := parseManifest(text, addresses{}, lists)
			if err != nil {
				t.Fatal(err)
			}
			want, err := parseManifest(text, addresses{}, &columnLists{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.entries, want.entries) {
				t.Errorf("%s: got %v, want %v", c, got.entries[0], want.entries[0])
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	at := addresses{bucket: "b", prefix: "heap/x"}
	for url, want := range map[string]string{
		"s3://b/heap/x/sync_1/a.avro": "sync_1/a.avro",
		"s3://b/sync_1/a.avro":        "sync_1/a.avro",
		"heap/x/sync_1/a.avro":        "sync_1/a.avro",
		"sync_1/a.avro":               "sync_1/a.avro",
		"s3://b/heap/xy/a.avro":       "heap/xy/a.avro",
	} {
		if key, err := at.key(url); err != nil || key != want {
			t.Errorf("%s: %q, %v; want %q", url, key, err, want)
		}
	}
	for url, want := range map[string]string{
		"s3://b//heap//x/sync_1//a.avro": "sync_1/a.avro",
		"heap/x/sync_1/a.avro":           "sync_1/a.avro",
		"s3://b/heap/x/heap/x/a.avro":    "heap/x/a.avro",
	} {
		if key, err := (addresses{prefix: "heap/x"}).key(url); err != nil || key != want {
			t.Errorf("%s in a mirror: %q, %v; want %q", url, key, err, want)
		}
	}
	for _, url := range []string{"s3://c/heap/x/a.avro", "s3://B/a.avro", "s3://b/heap/x/../../a.avro"} {
		if key, err := at.key(url); err == nil {
			t.Errorf("%s: taken as %q", url, key)
		}
	}
}
