package column

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"
)

func TestAppendRescue(t *testing.T) {
	for _, c := range []struct {
		items []Rescued
		want  string
	}{
		{nil, ""},
		{[]Rescued{{Name: "a", Value: nil}}, `{"a":""}`},
		{[]Rescued{{Name: "b", Value: []byte("2")}, {Name: "a", Value: []byte("1")}, {Name: "B", Value: []byte("3")}}, `{"B":"3","a":"1","b":"2"}`},
		{[]Rescued{{Name: "a", Value: []byte("first")}, {Name: "b"}, {Name: "a", Value: []byte("later")}}, `{"a":"first","b":""}`},
		{[]Rescued{{Name: "a", Value: []byte("<&>\"\\/\n\x01\x7fé\U0001F600")}}, `{"a":"<&>\"\\/\n\u0001` + "\x7fé\U0001F600" + `"}`},
		{[]Rescued{{Name: "a", Value: []byte("\xff")}}, `{"a":"/w=="}`},
		{[]Rescued{{Name: "a", Value: []byte("text"), Base64: true}}, `{"a":"dGV4dA=="}`},
		{[]Rescued{{Name: "a\xffb", Value: []byte("1")}}, `{"a\ufffdb":"1"}`},
		{[]Rescued{{Name: "a\"b", Value: []byte("1")}}, `{"a\"b":"1"}`},
	} {
		if got := string(AppendRescue([]byte("x"), c.items)); got != "x"+c.want {
			t.Errorf("got %s, want %s", got[1:], c.want)
		}
	}
}

// What a row has rescued already comes before the items that it gains: of one
// name the first counts.
func TestSplitRescue(t *testing.T) {
	for _, c := range []struct {
		existing string
		items    []Rescued
		want     string
	}{
		{"", nil, ""},
		{"", []Rescued{{Name: "a", Value: []byte("1")}}, `{"a":"1"}`},
		{`{"a":"1"}`, nil, `{"a":"1"}`},
		{`{"b":"old","z":"\u00e9\""}`, []Rescued{{Name: "b", Value: []byte("new")}, {Name: "a", Value: []byte("\xfe")}},
			`{"a":"/g==","b":"old","z":"é\""}`},
		{` { "b" : "x" , "a" : "y" } `, []Rescued{{Name: "c", Value: []byte("z")}}, `{"a":"y","b":"x","c":"z"}`},
		{`{}`, []Rescued{{Name: "c", Value: []byte("z")}}, `{"c":"z"}`},
	} {
		old, err := SplitRescue([]byte(c.existing))
		if got := AppendRescue(nil, append(old, c.items...)); err != nil || string(got) != c.want {
			t.Errorf("%s and items = %s, %v; want %s", c.existing, got, err, c.want)
		}
	}
	for _, s := range []string{"x", "[]", `"a"`, `{"a":1}`, `{"a":null}`, `{"a":{"b":"c"}}`, `{"a":"1"`, `{"a":"1"}}`, `{"a"}`, "null"} {
		if got, err := SplitRescue([]byte(s)); err == nil {
			t.Errorf("SplitRescue(%s) = %v, want an error", s, got)
		}
	}
}

// slowRescue is AppendRescue by way of encoding/json.
func slowRescue(t *testing.T, items []Rescued) string {
	t.Helper()
	values := map[string]string{}
	for _, it := range slices.Backward(items) {
		values[it.Name] = string(it.Value)
		if it.Base64 || !utf8.Valid(it.Value) {
			values[it.Name] = base64.StdEncoding.EncodeToString(it.Value)
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(values); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

func FuzzRescue(f *testing.F) {
	f.Add("a", "b", []byte("1"), []byte("\xff"), false)
	f.Add("b", "b", []byte("<\u2028\u2029\x00\b\f\t\\\""), []byte(""), true)
	f.Add("c\u2028", "d", []byte("<\u2028\u2029\u202a\x00\x1f\x7f\b\f\t\\\""), []byte("&>"), false)
	f.Add("é", "", []byte("{\"x\":1}"), []byte("\xf0\x9f\x98"), false)
	f.Fuzz(func(t *testing.T, n1, n2 string, v1, v2 []byte, b64 bool) {
		items := []Rescued{{Name: n1, Value: v1, Base64: b64}, {Name: n2, Value: v2}}
		want := slowRescue(t, items)
		got := AppendRescue(nil, slices.Clone(items))
		if utf8.ValidString(n1) && utf8.ValidString(n2) && string(got) != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if !json.Valid(got) {
			t.Fatalf("not JSON: %s", got)
		}
		split, err := SplitRescue(got)
		if err != nil {
			t.Fatal(err)
		}
		if again := AppendRescue(nil, split); utf8.ValidString(n1) && utf8.ValidString(n2) && !bytes.Equal(again, got) {
			t.Fatalf("split and joined: %s, want %s", again, got)
		}
		first, err := SplitRescue(AppendRescue(nil, []Rescued{items[0]}))
		if err != nil {
			t.Fatal(err)
		}
		merged := AppendRescue(nil, append(first, items[1]))
		if utf8.ValidString(n1) && utf8.ValidString(n2) && string(merged) != want {
			t.Fatalf("merged: %s, want %s", merged, want)
		}
		// Anything may stand where rescue data should: an error, no panic.
		_, _ = SplitRescue(v1)
	})
}
