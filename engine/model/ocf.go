package model

import (
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// encode returns the file as an Avro object container, the same bytes each
// time. It writes rows that do not fit their schema as an error.
func (f *File) encode() ([]byte, error) {
	codec := cmp.Or(f.Codec, "null")
	fields := []any{}
	for _, fd := range f.Fields {
		fields = append(fields, map[string]any{"name": fd.Name, "type": fd.Type})
	}
	schema := marshal(map[string]any{"type": "record", "name": "row", "fields": fields})
	sync := md5.Sum([]byte(cmp.Or(f.Same, f.Key)))

	out := []byte("Obj\x01")
	if f.Draft {
		sync[0] ^= 0xff
		out = appendText(appendText(appendLong(out, 1), "model.draft"), "")
	}
	out = appendLong(out, 2)
	out = appendText(appendText(out, "avro.codec"), codec)
	out = appendText(appendText(out, "avro.schema"), schema)
	out = append(appendLong(out, 0), sync[:]...)
	for rows := range slices.Chunk(f.present(), f.blocks()) {
		var block []byte
		for _, row := range rows {
			for i, fd := range f.Fields {
				var err error
				if block, err = appendValue(block, fd.Type, row[i]); err != nil {
					return nil, fmt.Errorf("write field %q of %s: %w", fd.Name, f.Key, err)
				}
			}
		}
		block, err := compress(codec, block)
		if err != nil {
			return nil, fmt.Errorf("compress %s: %w", f.Key, err)
		}
		out = appendLong(out, int64(len(rows)))
		out = append(appendText(out, string(block)), sync[:]...)
	}
	return out, nil
}

func compress(codec string, block []byte) ([]byte, error) {
	switch codec {
	case "null":
		return block, nil
	case "snappy":
		return binary.BigEndian.AppendUint32(snappy.Encode(nil, block), crc32.ChecksumIEEE(block)), nil
	case "zstandard":
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return w.EncodeAll(block, nil), w.Close()
	case "deflate":
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.DefaultCompression)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(block); err != nil {
			return nil, err
		}
		err = w.Close()
		return b.Bytes(), err
	}
	return nil, fmt.Errorf("codec %q is not known", codec)
}

func appendLong(out []byte, v int64) []byte { return binary.AppendVarint(out, v) }

func appendText(out []byte, s string) []byte { return append(appendLong(out, int64(len(s))), s...) }

// appendValue writes a value in Avro's binary form.
func appendValue(out []byte, schema, v any) ([]byte, error) {
	if u, ok := schema.([]any); ok {
		i, v, err := pick(u, v)
		if err != nil {
			return nil, err
		}
		return appendValue(appendLong(out, int64(i)), u[i], v)
	}
	name, _, def := kindOf(schema)
	switch v := v.(type) {
	case nil:
		if name == "null" {
			return out, nil
		}
	case bool:
		if name == "boolean" && v {
			return append(out, 1), nil
		} else if name == "boolean" {
			return append(out, 0), nil
		}
	case int64:
		if name == "long" || name == "int" && v == int64(int32(v)) {
			return appendLong(out, v), nil
		}
	case float32:
		if name == "float" {
			return binary.LittleEndian.AppendUint32(out, math.Float32bits(v)), nil
		}
	case float64:
		if name == "double" {
			return binary.LittleEndian.AppendUint64(out, math.Float64bits(v)), nil
		}
	case string:
		if name == "string" {
			return appendText(out, v), nil
		} else if name == "enum" {
			return appendLong(out, int64(slices.Index(def["symbols"].([]any), any(v)))), nil
		}
	case []byte:
		if name == "bytes" {
			return appendText(out, string(v)), nil
		} else if name == "fixed" {
			return append(out, v...), nil
		}
	case []any:
		return appendItems(out, def, v)
	case map[string]any:
		return appendMap(out, name, def, v)
	}
	return nil, fmt.Errorf("a %T does not fit the schema %s", v, schemaText(schema))
}

// pick returns the branch of a union that a value takes.
func pick(union []any, v any) (int, any, error) {
	if b, ok := v.(Branch); ok && b.Index < len(union) {
		return b.Index, b.Value, nil
	}
	i := slices.IndexFunc(union, func(s any) bool { return (s == "null") == (v == nil) })
	if i < 0 {
		return 0, nil, fmt.Errorf("no branch of %s takes a %T", schemaText(union), v)
	}
	return i, v, nil
}

func appendItems(out []byte, def map[string]any, items []any) ([]byte, error) {
	var err error
	if len(items) > 0 {
		out = appendLong(out, int64(len(items)))
	}
	for _, item := range items {
		if out, err = appendValue(out, def["items"], item); err != nil {
			return nil, err
		}
	}
	return appendLong(out, 0), nil
}

func appendMap(out []byte, name string, def map[string]any, m map[string]any) ([]byte, error) {
	var err error
	if name == "record" {
		for _, f := range def["fields"].([]any) {
			field := f.(map[string]any)
			if out, err = appendValue(out, field["type"], m[field["name"].(string)]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if len(m) > 0 {
		out = appendLong(out, int64(len(m)))
	}
	// Not sorted on disk, so that readers must do it.
	for _, k := range slices.Backward(sortedKeys(m)) {
		if out, err = appendValue(appendText(out, k), def["values"], m[k]); err != nil {
			return nil, err
		}
	}
	return appendLong(out, 0), nil
}
