package avro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
)

// value is a value as the other implementation takes it and the texts that it
// must have, on its own and inside JSON.
type value struct {
	native     any
	text, json string
}

// sort is a type and a source of its values. union is its name in a union.
type sort struct {
	schema any
	union  string
	make   func() value
}

// world makes random types, values and with them files.
type world struct {
	*rand.Rand
	names int
}

func (w *world) name() string {
	w.names++
	return fmt.Sprintf("n%d", w.names)
}

func (w *world) sort(depth int) sort {
	n := 16
	if depth == 0 {
		n = 11
	}
	switch k := w.IntN(n); {
	case k < 8:
		return w.primitive(k)
	case k < 11:
		return w.logical(k)
	case k == 11:
		return w.array(depth)
	case k == 12:
		return w.mapping(depth)
	case k == 13:
		return w.record(depth)
	}
	return w.unionOf(depth)
}

func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func textual(native any, s string) value { return value{native, s, quote(s)} }
func bare(native any, s string) value    { return value{native, s, s} }

func (w *world) text() string {
	letters := []string{"a", "b", "é", "世", "\"", "\\", "\n", "<", "&", "\u2028", "\x01", "😀"}
	var b strings.Builder
	for range w.IntN(12) {
		b.WriteString(letters[w.IntN(len(letters))])
	}
	if w.IntN(10) == 0 {
		b.WriteString(strings.Repeat("long ", w.IntN(40)))
	}
	return b.String()
}

func (w *world) long() int64 { return int64(w.Uint64()) >> w.IntN(64) }

func (w *world) primitive(k int) sort {
	switch k {
	case 0:
		return sort{"boolean", "boolean", func() value { v := w.IntN(2) == 1; return bare(v, strconv.FormatBool(v)) }}
	case 1:
		return sort{"int", "int", func() value { v := int32(w.long()); return bare(v, fmt.Sprint(v)) }}
	case 2:
		return sort{"long", "long", func() value { v := w.long(); return bare(v, fmt.Sprint(v)) }}
	case 3:
		// Halves have the same digits in every form of these magnitudes.
		return sort{"float", "float", func() value {
			v := float32(w.IntN(1<<20)) / 2
			return bare(v, strconv.FormatFloat(float64(v), 'f', -1, 32))
		}}
	case 4:
		return sort{"double", "double", func() value {
			v := w.NormFloat64() * 1000
			if w.IntN(10) == 0 {
				v = math.Inf(1)
				return value{v, "Infinity", `"Infinity"`}
			}
			return bare(v, ecmascript(v))
		}}
	case 5:
		return sort{"bytes", "bytes", func() value { s := w.text(); return textual([]byte(s), s) }}
	case 6:
		name := w.name()
		schema := map[string]any{"type": "enum", "name": name, "symbols": []string{"A", "B", "C"}}
		return sort{schema, name, func() value { s := string(rune('A' + w.IntN(3))); return textual(s, s) }}
	}
	return sort{"string", "string", func() value { s := w.text(); return textual(s, s) }}
}

func ecmascript(v float64) string {
	if abs := math.Abs(v); abs < 1e-6 && abs > 0 {
		return strings.Replace(strconv.FormatFloat(v, 'e', -1, 64), "e-0", "e-", 1)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (w *world) logical(k int) sort {
	switch k {
	case 8:
		schema := map[string]any{"type": "long", "logicalType": "timestamp-millis"}
		return sort{schema, "long.timestamp-millis", func() value {
			t := time.UnixMilli(w.Int64N(1 << 42)).UTC()
			s := t.Format("2006-01-02T15:04:05Z")
			if t.Nanosecond() != 0 {
				s = t.Format("2006-01-02T15:04:05.000Z")
			}
			return textual(t, s)
		}}
	case 9:
		schema := map[string]any{"type": "int", "logicalType": "date"}
		return sort{schema, "int.date", func() value {
			t := time.Unix(86400*w.Int64N(40_000), 0).UTC()
			return textual(t, t.Format("2006-01-02"))
		}}
	}
	scale := w.IntN(5)
	schema := map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": scale}
	return sort{schema, "bytes.decimal", func() value {
		unscaled := w.long()
		r := new(big.Rat).SetFrac(big.NewInt(unscaled), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		return bare(r, r.FloatString(scale))
	}}
}

func (w *world) array(depth int) sort {
	item := w.sort(depth - 1)
	return sort{map[string]any{"type": "array", "items": item.schema}, "array", func() value {
		native, texts := []any{}, []string{}
		for range w.IntN(4) {
			v := item.make()
			native, texts = append(native, v.native), append(texts, v.json)
		}
		return bare(native, "["+strings.Join(texts, ",")+"]")
	}}
}

func (w *world) mapping(depth int) sort {
	item := w.sort(depth - 1)
	return sort{map[string]any{"type": "map", "values": item.schema}, "map", func() value {
		native, texts := map[string]any{}, map[string]string{}
		for range w.IntN(5) {
			v, key := item.make(), w.text()
			native[key], texts[key] = v.native, v.json
		}
		return bare(native, objectOf(texts))
	}}
}

func objectOf(texts map[string]string) string {
	keys := make([]string, 0, len(texts))
	for k := range texts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = quote(k) + ":" + texts[k]
	}
	return "{" + strings.Join(keys, ",") + "}"
}

func (w *world) record(depth int) sort {
	name := w.name()
	var fields []any
	var names []string
	var sorts []sort
	for range 1 + w.IntN(4) {
		f := w.name()
		s := w.sort(depth - 1)
		fields = append(fields, map[string]any{"name": f, "type": s.schema})
		names, sorts = append(names, f), append(sorts, s)
	}
	schema := map[string]any{"type": "record", "name": name, "fields": fields}
	return sort{schema, name, func() value {
		native, texts := map[string]any{}, make([]string, len(names))
		for i, s := range sorts {
			v := s.make()
			native[names[i]], texts[i] = v.native, quote(names[i])+":"+v.json
		}
		return bare(native, "{"+strings.Join(texts, ",")+"}")
	}}
}

// unionOf makes a union of null and one or two types, in any order.
func (w *world) unionOf(depth int) sort {
	branches := []sort{{"null", "null", func() value { return value{nil, null, "null"} }}}
	for range 1 + w.IntN(2) {
		s := w.sort(depth - 1)
		same := func(b sort) bool { return b.union == s.union }
		if _, nested := s.schema.([]any); !nested && !slices.ContainsFunc(branches, same) {
			branches = append(branches, s)
		}
	}
	w.Shuffle(len(branches), func(i, j int) { branches[i], branches[j] = branches[j], branches[i] })
	schema := []any{}
	for _, b := range branches {
		schema = append(schema, b.schema)
	}
	return sort{schema, "", func() value {
		b := branches[w.IntN(len(branches))]
		v := b.make()
		if b.union != "null" {
			v.native = map[string]any{b.union: v.native}
		}
		return v
	}}
}

// file makes a random file and the texts of its rows.
func (w *world) file(t *testing.T) (data []byte, want []map[string]string) {
	t.Helper()
	var fields []any
	var sorts []sort
	for i := range 1 + w.IntN(8) {
		s := w.sort(3)
		fields = append(fields, map[string]any{"name": fmt.Sprintf("f%d", i), "type": s.schema})
		sorts = append(sorts, s)
	}
	schema, err := json.Marshal(map[string]any{"type": "record", "name": "top", "fields": fields})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	codec := []string{"null", "deflate", "snappy"}[w.IntN(3)]
	ocf, err := goavro.NewOCFWriter(goavro.OCFConfig{W: &out, Schema: string(schema), CompressionName: codec})
	if err != nil {
		t.Fatalf("%v: %s", err, schema)
	}
	for range w.IntN(4) {
		var rows []any
		for range 1 + w.IntN(20) {
			row, texts := map[string]any{}, map[string]string{}
			for i, s := range sorts {
				v, name := s.make(), fmt.Sprintf("f%d", i)
				row[name], texts[name] = v.native, v.text
			}
			rows, want = append(rows, row), append(want, texts)
		}
		if err := ocf.Append(rows); err != nil {
			t.Fatalf("%v: %s", err, schema)
		}
	}
	return out.Bytes(), want
}

// TestAgainstOtherWriter decodes random files of random schemas.
func TestAgainstOtherWriter(t *testing.T) {
	values := 0
	for seed := range uint64(400) {
		w := &world{Rand: rand.New(rand.NewPCG(seed, 1))}
		data, want := w.file(t)
		h, cols, err := readAllRows(data, int64(len(data)))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		compareTexts(t, cols, want)
		if t.Failed() {
			t.Fatalf("seed %d, schema %s", seed, h.Schema())
		}
		values += len(cols) * len(want)
	}
	if values < 10_000 {
		t.Errorf("only %d values compared", values)
	}
}
