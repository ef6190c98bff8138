package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Native says what a field's values are when they are not text.
type Native uint8

const (
	// Text is every field that is not one of the others.
	Text Native = iota
	// Long is int and long without a logical type.
	Long
	// Double is double. A float is Text: as a double it would have other digits.
	Double
)

// Field is a field of the records of a file.
type Field struct {
	Name   string
	Native Native
	// Telling says that some values have another Origin than Plain.
	Telling bool
	// Checked says that decoding a value may find damage that skipping it does not.
	Checked bool
}

// Header is what the header of a file says. It is immutable.
type Header struct {
	fields []Field
	codec  string
	schema string
	root   *node
	proto  []op // the program that decodes a record, not yet bound to columns
	zero   int  // fields that take no bytes
}

// Fields lists the fields of the records in schema order. Do not change it.
func (h *Header) Fields() []Field { return h.fields }

// Codec returns the name of the codec; a file that names none has "null".
func (h *Header) Codec() string { return h.codec }

// Schema returns the writer's schema as it stands in the file.
func (h *Header) Schema() string { return h.schema }

func newHeader(schema, codec []byte) (*Header, error) {
	h := &Header{codec: string(codec), schema: string(schema)}
	if len(codec) == 0 {
		h.codec = codecNull
	}
	if !knownCodec(h.codec) {
		return nil, unsupportedError{h.codec}
	}
	if schema == nil {
		return nil, errors.New("it has no schema (avro.schema)")
	}
	if n := countFields(schema); n > MostFields {
		return nil, fieldsError(n)
	}
	root, err := parseSchema(schema)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if root.kind != kindRecord {
		return nil, errors.New("schema: a record is needed at the top")
	}
	if n := len(root.fields); n > MostFields {
		return nil, fieldsError(n)
	}
	if root.width == endless {
		return nil, fmt.Errorf("schema: record %q contains itself without end", root.name)
	}
	h.root = root
	for i := range root.fields {
		f := &root.fields[i]
		if strings.Contains(f.name, "\x00") {
			return nil, fmt.Errorf("schema: the field %q has a NUL in its name", f.name)
		}
		o := compile(f.node)
		h.proto = append(h.proto, o)
		h.fields = append(h.fields, Field{Name: f.name, Native: o.native(), Telling: f.node.telling(), Checked: o.checked()})
		if f.node.width == 0 {
			h.zero++
		}
	}
	return h, nil
}

// countFields counts the fields of a record without parsing them: of many that takes far
// less memory. It returns 0 where they cannot be too many.
func countFields(schema []byte) int {
	const field = `{"name":"a","type":"int"},`
	if len(schema) < MostFields*len(field) {
		return 0
	}
	var record struct {
		Fields []json.RawMessage `json:"fields"`
	}
	if json.Unmarshal(schema, &record) != nil {
		return 0 // parsing it tells why
	}
	return len(record.Fields)
}
