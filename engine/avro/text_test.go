package avro

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"reconcile/internal/column"
)

const (
	uuidType     = `{"type":"fixed","name":"u","size":16,"logicalType":"uuid"}`
	durationType = `{"type":"fixed","name":"d","size":12,"logicalType":"duration"}`
	enumType     = `{"type":"enum","name":"e","symbols":["A","B\"C"]}`
	treeType     = `{"type":"record","name":"tree","fields":[{"name":"v","type":"int"},{"name":"kids","type":{"type":"array","items":"tree"}}]}`
)

func logicalType(base, name string) string {
	return `{"type":"` + base + `","logicalType":"` + name + `"}`
}

func fixedBytes(v ...uint32) enc {
	var e enc
	for _, x := range v {
		e = binary.LittleEndian.AppendUint32(e, x)
	}
	return e
}

var textCases = []struct {
	name, typ string
	value     enc
	want      string
}{
	{"null", `"null"`, nil, null},
	{"true", `"boolean"`, enc{1}, "true"},
	{"false", `"boolean"`, enc{0}, "false"},
	{"least int", `"int"`, enc{}.long(math.MinInt32), "-2147483648"},
	{"least long", `"long"`, enc{}.long(math.MinInt64), "-9223372036854775808"},
	{"greatest long", `"long"`, enc{}.long(math.MaxInt64), "9223372036854775807"},
	{"long form of a small long", `"long"`, enc{0x82, 0x80, 0x00}, "1"},
	{"float", `"float"`, enc{}.float(0.1), "0.1"},
	{"float, whole and large", `"float"`, enc{}.float(16777216), "16777216"},
	{"double", `"double"`, enc{}.double(1e21), "1e+21"},
	{"NaN", `"double"`, enc{}.double(math.NaN()), "NaN"},
	{"infinity", `"double"`, enc{}.double(math.Inf(-1)), "-Infinity"},
	{"negative zero", `"double"`, enc{}.double(math.Copysign(0, -1)), "0"},
	{"empty string", `"string"`, enc{}.str(""), ""},
	{"string of 63", `"string"`, enc{}.str(strings.Repeat("x", 63)), strings.Repeat("x", 63)},
	{"string of 64", `"string"`, enc{}.str(strings.Repeat("x", 64)), strings.Repeat("x", 64)},
	{"bytes that are not UTF-8", `"bytes"`, enc{}.str("a\xff\x00"), "a\xff\x00"},
	{"fixed", `{"type":"fixed","name":"x","size":3}`, enc("\xffab"), "\xffab"},
	{"empty fixed", `{"type":"fixed","name":"x","size":0}`, nil, ""},
	{"enum", enumType, enc{}.long(1), `B"C`},

	{"[null, T] null", `["null","string"]`, enc{}.long(0), null},
	{"[null, T] T", `["null","string"]`, enc{}.long(1).str("x"), "x"},
	{"[T, null] T", `["string","null"]`, enc{}.long(0).str("x"), "x"},
	{"[T, null] null", `["string","null"]`, enc{}.long(1), null},
	{"[T]", `["long"]`, enc{}.long(0).long(5), "5"},
	{"[null]", `["null"]`, enc{}.long(0), null},
	{"long form of a branch", `["null","string"]`, enc{0x82, 0x00}.str("x"), "x"},
	{"long form of the null branch", `["string","null"]`, enc{0x82, 0x00}, null},
	{"many branches, null", `["int","null","string"]`, enc{}.long(1), null},
	{"many branches, string", `["int","null","string"]`, enc{}.long(2).str("s"), "s"},
	{"many branches, array", `["null","string",{"type":"array","items":"string"}]`, enc{}.long(2).long(1).str("s").long(0), `["s"]`},

	{"date", logicalType("int", "date"), enc{}.long(-1), "1969-12-31"},
	{"furthest date", logicalType("int", "date"), enc{}.long(math.MaxInt32), "+5881580-07-11"},
	{"earliest date", logicalType("int", "date"), enc{}.long(math.MinInt32), "-5877641-06-23"},
	{"time-millis", logicalType("int", "time-millis"), enc{}.long(86399999), "23:59:59.999"},
	{"time-micros", logicalType("long", "time-micros"), enc{}.long(1), "00:00:00.000001"},
	{"time-micros out of range", logicalType("long", "time-micros"), enc{}.long(math.MinInt64), "-9223372036854775808"},
	{"timestamp-millis", logicalType("long", "timestamp-millis"), enc{}.long(1767607200123), "2026-01-05T10:00:00.123Z"},
	{"timestamp-millis before 1970", logicalType("long", "timestamp-millis"), enc{}.long(-1), "1969-12-31T23:59:59.999Z"},
	{"timestamp-millis of a whole second", logicalType("long", "timestamp-millis"), enc{}.long(1000), "1970-01-01T00:00:01Z"},
	{"timestamp-micros", logicalType("long", "timestamp-micros"), enc{}.long(-1), "1969-12-31T23:59:59.999999Z"},
	{"timestamp-nanos", logicalType("long", "timestamp-nanos"), enc{}.long(1), "1970-01-01T00:00:00.000000001Z"},
	{"local-timestamp-millis", logicalType("long", "local-timestamp-millis"), enc{}.long(1000), "1970-01-01T00:00:01Z"},
	{"local-timestamp-micros", logicalType("long", "local-timestamp-micros"), enc{}.long(1000), "1970-01-01T00:00:00.001Z"},
	{"local-timestamp-nanos", logicalType("long", "local-timestamp-nanos"), enc{}.long(0), "1970-01-01T00:00:00Z"},
	{"furthest timestamp", logicalType("long", "timestamp-millis"), enc{}.long(math.MaxInt64), "+292278994-08-17T07:12:55.807Z"},
	{"logical type of another type", logicalType("string", "timestamp-millis"), enc{}.str("x"), "x"},
	{"date on a long", logicalType("long", "date"), enc{}.long(7), "7"},
	{"uuid in text", logicalType("string", "uuid"), enc{}.str("Any Text"), "Any Text"},
	{"uuid in fixed", uuidType, enc("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"), "01234567-89ab-cdef-0123-456789abcdef"},
	{"duration", durationType, fixedBytes(1, 2, 3004), "P1M2DT3.004S"},
	{"duration of days", durationType, fixedBytes(0, 4294967295, 0), "P4294967295D"},
	{"no duration", durationType, fixedBytes(0, 0, 0), "PT0S"},
	{"decimal", `{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}`, enc{}.str("\xff\x85"), "-1.23"},
	{"decimal without scale", `{"type":"bytes","logicalType":"decimal","precision":5}`, enc{}.str("\x7f"), "127"},
	{"empty decimal", `{"type":"bytes","logicalType":"decimal","precision":5,"scale":1}`, enc{}.str(""), "0.0"},
	{"long decimal", `{"type":"bytes","logicalType":"decimal","precision":60}`, enc{}.str("\x01" + strings.Repeat("\x00", 20)), "1461501637330902918203684832716283019655932542976"},
	{"fixed decimal", `{"type":"fixed","name":"m","size":2,"logicalType":"decimal","precision":4,"scale":3}`, enc{0x04, 0xd2}, "1.234"},
	{"decimal whose scale is too large", `{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}`, enc{}.str("ab"), "ab"},
	{"decimal without precision", `{"type":"bytes","logicalType":"decimal"}`, enc{}.str("ab"), "ab"},

	{"array", `{"type":"array","items":"long"}`, enc{}.long(2).long(1).long(2).long(1).long(3).long(0), "[1,2,3]"},
	{"array with sizes", `{"type":"array","items":"long"}`, enc{}.long(-2).long(2).long(1).long(2).long(0), "[1,2]"},
	{"empty array", `{"type":"array","items":"long"}`, enc{}.long(0), "[]"},
	{"array of nulls", `{"type":"array","items":"null"}`, enc{}.long(3).long(0), "[null,null,null]"},
	{"map", `{"type":"map","values":["null","string"]}`, enc{}.long(2).str("b").long(0).str("a").long(1).str("x").long(-1).long(3).str("c").long(0).long(0), `{"a":"x","b":null,"c":null}`},
	{"map with equal keys", `{"type":"map","values":"int"}`, enc{}.long(3).str("k").long(1).str("a").long(2).str("k").long(3).long(0), `{"a":2,"k":3}`},
	{"empty map", `{"type":"map","values":"int"}`, enc{}.long(0), "{}"},
	{"map of maps", `{"type":"map","values":{"type":"map","values":"int"}}`,
		enc{}.long(2).str("z").long(2).str("y").long(1).str("x").long(2).long(0).str("a").long(0).long(0), `{"a":{},"z":{"x":2,"y":1}}`},
	{"recursive record", treeType, enc{}.long(1).long(2).long(2).long(0).long(3).long(0).long(0), `{"v":1,"kids":[{"v":2,"kids":[]},{"v":3,"kids":[]}]}`},
	{"JSON text", `{"type":"array","items":"string"}`, enc{}.long(4).str("<a&b>").str("\"\\\n\x01").str("é世").str("a\xffé\xfe\n").long(0),
		"[\"<a&b>\",\"\\\"\\\\\\n\\u0001\",\"é世\",\"a\xffé\xfe\\n\"]"},
	{"JSON scalars", `{"type":"record","name":"s","fields":[{"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"f","type":"float"},{"name":"d","type":{"type":"array","items":"double"}},{"name":"e","type":` + enumType + `}]}`,
		enc{1}.long(-3).float(0.5).long(3).double(math.NaN()).double(math.Inf(1)).double(1e-7).long(0).long(1),
		`{"b":true,"i":-3,"f":0.5,"d":["NaN","Infinity",1e-7],"e":"B\"C"}`},
	{"JSON logical types", `{"type":"record","name":"s","fields":[{"name":"t","type":` + logicalType("long", "timestamp-millis") + `},{"name":"d","type":` + logicalType("int", "date") +
		`},{"name":"u","type":` + uuidType + `},{"name":"m","type":{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}},{"name":"p","type":` + durationType + `}]}`,
		append(enc{}.long(0).long(0), append(make(enc, 16), append(enc{}.str("\x01\x00"), fixedBytes(0, 0, 1)...)...)...),
		`{"t":"1970-01-01T00:00:00Z","d":"1970-01-01","u":"00000000-0000-0000-0000-000000000000","m":2.56,"p":"PT0.001S"}`},
	{"field names are escaped", `{"type":"record","name":"s","fields":[{"name":"a\"b<","type":"null"}]}`, nil, `{"a\"b<":null}`},
}

func TestText(t *testing.T) {
	for _, c := range textCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := decodeOne(c.typ, c.value)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestTextCut cuts every value of TestText short and puts a byte behind it.
func TestTextCut(t *testing.T) {
	for _, c := range textCases {
		for n := range c.value {
			if got, err := decodeOne(c.typ, c.value[:n]); !isDamage(err) {
				t.Errorf("%s: %d of %d bytes give %q and %v", c.name, n, len(c.value), got, err)
			}
		}
		if _, err := decodeOne(c.typ, append(c.value[:len(c.value):len(c.value)], 0)); !isDamage(err) {
			t.Errorf("%s: a byte too many gives %v", c.name, err)
		}
	}
}

func isDamage(err error) bool {
	var d *DamageError
	return errors.As(err, &d) && d.Block >= 0
}

func TestBadValues(t *testing.T) {
	deep := `{"type":"record","name":"list","fields":[{"name":"next","type":["null","list"]}]}`
	long10 := enc{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for _, c := range []struct {
		name, typ string
		value     enc
		want      error
	}{
		{"boolean 2", `"boolean"`, enc{2}, errBoolean},
		{"int too large", `"int"`, enc{}.long(1 << 31), errInt},
		{"int too small", `"int"`, enc{}.long(-1<<31 - 1), errInt},
		{"long of 65 bits", `"long"`, append(long10[:9:9], 0x02), errVarint},
		{"long of 11 bytes", `"long"`, append(long10[:9:9], 0x81, 0x00), errVarint},
		{"long without end", `"long"`, enc{0x80}, errShort},
		{"string of negative length", `"string"`, enc{}.long(-1), errLength},
		{"string beyond the block", `"string"`, append(enc{}.long(5), "1234"...), errLength},
		{"string of enormous length", `"string"`, enc{}.long(math.MaxInt64), errLength},
		{"enum 2", enumType, enc{}.long(2), errEnum},
		{"enum -1", enumType, enc{}.long(-1), errEnum},
		{"branch 2", `["null","int"]`, enc{}.long(2), errBranch},
		{"branch -1", `["null","int"]`, enc{}.long(-1), errBranch},
		{"branch 1 of one", `["string"]`, enc{}.long(1).str("x"), errBranch},
		{"branch 128 of one", `["string"]`, enc{}.long(128).str("x"), errBranch},
		{"branch 3 of three", `["null","int","long"]`, enc{}.long(3), errBranch},
		{"branch beyond int", `["null","int"]`, enc{}.long(1 << 40), errInt},
		{"items that are not there", `{"type":"array","items":"long"}`, enc{}.long(math.MaxInt64).long(0), errLength},
		{"least of all counts", `{"type":"array","items":"null"}`, enc{}.long(math.MinInt64).long(0), errLength},
		{"size of a run too small", `{"type":"array","items":"long"}`, enc{}.long(-2).long(1).long(1).long(2).long(0), errItems},
		{"size of a run negative", `{"type":"array","items":"long"}`, enc{}.long(-2).long(-2).long(1).long(2).long(0), errLength},
		{"size of a map run too large", `{"type":"map","values":"long"}`, enc{}.long(-1).long(4).str("k").long(1).long(0), errItems},
		{"list without end", deep, make(enc, 2*maxDepth).fill(2), errDepth},
		{"decimal without end", `{"type":"bytes","logicalType":"decimal","precision":5}`, enc{}.str(strings.Repeat("x", maxDecimal+1)), errDecimal},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decodeOne(c.typ, c.value)
			if !isDamage(err) || !errors.Is(err, c.want) {
				t.Errorf("got %.40q and error %v, want %v", got, err, c.want)
			}
		})
	}
}

// TestTextTooLong counts what a value takes that is too long, in whatever is nested.
func TestTextTooLong(t *testing.T) {
	nulls := func(n int64) enc { return enc{}.long(n).long(0) }
	const array = `{"type":"array","items":"null"}`
	for _, c := range []struct {
		name, typ string
		value     enc
		size      int
	}{
		{"nulls", array, nulls(1000), 1000*5 + 1},
		{"nulls without number", array, nulls(math.MaxInt64), MostSize + 1},
		{"nulls in a map", `{"type":"map","values":` + array + `}`, append(enc{}.long(2).str("a"), append(append(nulls(1000), enc{}.str("b")...), append(nulls(3), 0)...)...),
			len(`{"a":,"b":}`) + 1000*5 + 1 + 3*5 + 1},
	} {
		limits := testLimits
		limits.Text = 100
		h, err := newHeader([]byte(record(c.typ)), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = h.NewDecoder(limits).Decode(&Block{Count: 1, Data: c.value}, []*column.Column{{Type: column.StringType}})
		var large *LimitError
		if !errors.As(err, &large) || large.Limit != 100 || large.Size < c.size-2 || large.Size > c.size {
			t.Errorf("%s: %v, not of %d bytes", c.name, err, c.size)
		}
	}
}

func (e enc) fill(b byte) enc {
	for i := range e {
		e[i] = b
	}
	return e
}
