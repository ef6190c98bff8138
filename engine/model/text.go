package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nature is what a value was before it was text.
type nature int

const (
	ordinary nature = iota // text, a whole number, a decimal
	real                   // a float or a double
	counted                // a logical type that counts time
	zero                   // a raw 0 of such a type
)

// textOf returns the text of an Avro value as the contract has it, and what the
// value was. null says that there is none.
func textOf(schema, v any) (text string, null bool, was nature) {
	schema, v = branch(schema, v)
	if v == nil {
		return "", true, ordinary
	}
	name, logical, def := kindOf(schema)
	switch name {
	case "array", "map", "record":
		return jsonText(schema, v), false, ordinary
	case "float":
		return ecma(float64(v.(float32)), 32), false, real
	case "double":
		return ecma(v.(float64), 64), false, real
	case "boolean":
		return strconv.FormatBool(v.(bool)), false, ordinary
	case "int", "long":
		if slices.Contains(timeLogicals, logical) {
			was = counted
			if v.(int64) == 0 {
				was = zero
			}
		}
		return integerText(v.(int64), logical), false, was
	case "bytes", "fixed":
		return bytesText(v.([]byte), name, logical, def), false, ordinary
	}
	return v.(string), false, ordinary
}

// timeLogicals are the logical types of whole numbers that count time.
var timeLogicals = []string{"date", "time-millis", "time-micros", "timestamp-millis", "local-timestamp-millis",
	"timestamp-micros", "local-timestamp-micros", "timestamp-nanos", "local-timestamp-nanos"}

// branch takes a union apart.
func branch(schema, v any) (any, any) {
	u, ok := schema.([]any)
	if !ok {
		return schema, v
	}
	if b, ok := v.(Branch); ok {
		return u[b.Index], b.Value
	}
	if v == nil {
		return "null", nil
	}
	i := slices.IndexFunc(u, func(s any) bool { return s != "null" })
	return u[i], v
}

// kindOf returns the type of a schema that is no union, its logical type and
// the whole of it where it is an object.
func kindOf(schema any) (name, logical string, def map[string]any) {
	if def, ok := schema.(map[string]any); ok {
		logical, _ = def["logicalType"].(string)
		return def["type"].(string), logical, def
	}
	return schema.(string), "", nil
}

// integerText returns ints and what is counted in them.
func integerText(v int64, logical string) string {
	switch logical {
	case "date":
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(v)).Format("2006-01-02")
	case "time-millis":
		return clockText(v, 1_000)
	case "time-micros":
		return clockText(v, 1_000_000)
	case "timestamp-millis", "local-timestamp-millis":
		return instantText(time.UnixMilli(v))
	case "timestamp-micros", "local-timestamp-micros":
		return instantText(time.UnixMicro(v))
	case "timestamp-nanos", "local-timestamp-nanos":
		return instantText(time.Unix(0, v))
	}
	return strconv.FormatInt(v, 10)
}

func bytesText(b []byte, name, logical string, def map[string]any) string {
	switch {
	case logical == "decimal":
		return decimalText(b, scaleOf(def))
	case logical == "uuid" && name == "fixed":
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}
	return string(b)
}

// instantText has a fraction only when it is not zero, in steps of 3 digits.
func instantText(t time.Time) string {
	layout := "2006-01-02T15:04:05"
	switch ns := t.Nanosecond(); {
	case ns == 0:
	case ns%1_000_000 == 0:
		layout += ".000"
	case ns%1_000 == 0:
		layout += ".000000"
	default:
		layout += ".000000000"
	}
	return t.UTC().Format(layout + "Z")
}

// clockText always has a fraction, of 3 digits or as many as it takes.
func clockText(v, perSecond int64) string {
	t := time.Unix(v/perSecond, v%perSecond*(1_000_000_000/perSecond)).UTC()
	if t.Nanosecond()%1_000_000 == 0 {
		return t.Format("15:04:05.000")
	}
	return t.Format("15:04:05.000000")
}

// scaleOf reads the scale of a decimal, an int in a literal schema.
func scaleOf(def map[string]any) int {
	n, _ := strconv.Atoi(fmt.Sprint(def["scale"]))
	return n
}

// decimalText reads big-endian two's complement.
func decimalText(b []byte, scale int) string {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
	return new(big.Rat).SetFrac(n, den).FloatString(scale)
}

// ecma writes a number as ECMAScript's Number::toString does.
func ecma(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	digits, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
	e, _ := strconv.Atoi(exp)
	if e >= -6 && e < 21 {
		return strconv.FormatFloat(f, 'f', -1, bits)
	}
	return fmt.Sprintf("%se%+d", digits, e)
}

// textual are the types whose values are texts in JSON, whatever they look like.
var textual = []string{"string", "enum", "bytes", "fixed"}

// jsonText writes nested values: compact, record fields in the order of the
// schema, map keys sorted. Numbers are bare, NaN and infinities texts.
func jsonText(schema, v any) string {
	schema, v = branch(schema, v)
	if v == nil {
		return "null"
	}
	name, logical, def := kindOf(schema)
	var parts []string
	switch name {
	case "array":
		for _, item := range v.([]any) {
			parts = append(parts, jsonText(def["items"], item))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case "map":
		for _, k := range sortedKeys(v.(map[string]any)) {
			parts = append(parts, jsonString(k)+":"+jsonText(def["values"], v.(map[string]any)[k]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case "record":
		for _, f := range def["fields"].([]any) {
			field := f.(map[string]any)
			k := field["name"].(string)
			parts = append(parts, jsonString(k)+":"+jsonText(field["type"], v.(map[string]any)[k]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	text, _, _ := textOf(schema, v)
	if name == "boolean" || logical == "decimal" || logical == "" && numberForm.MatchString(text) && !slices.Contains(textual, name) {
		return text
	}
	return jsonString(text)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// jsonString quotes a text without HTML escapes.
func jsonString(s string) string { return marshal(s) }

// marshal is json.Marshal without HTML escapes. What cannot be JSON becomes the
// error's text, which equals nothing.
func marshal(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// schemaText shows a schema.
func schemaText(schema any) string { return marshal(schema) }
