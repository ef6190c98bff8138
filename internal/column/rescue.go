package column

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// Rescued is an original that a row could not keep in its column.
type Rescued struct {
	// Name is the column's, as delivered.
	Name string
	// Value is the original. It is written as base64 (standard, padded) if
	// Base64 says so or it is not valid UTF-8.
	Value  []byte
	Base64 bool
}

// AppendRescue appends items as one line of JSON: an object with sorted keys
// and text values, without HTML escapes. Of items with one name the first
// counts. No items append nothing: such a row's rescue column is null. The
// items are reordered.
func AppendRescue(dst []byte, items []Rescued) []byte {
	if len(items) == 0 {
		return dst
	}
	slices.SortStableFunc(items, func(a, b Rescued) int { return strings.Compare(a.Name, b.Name) })
	dst = append(dst, '{')
	for i := range items {
		it := &items[i]
		if i > 0 {
			if it.Name == items[i-1].Name {
				continue
			}
			dst = append(dst, ',')
		}
		dst = append(AppendJSONString(dst, it.Name), ':')
		if it.Base64 || !utf8.Valid(it.Value) {
			dst = append(dst, '"')
			dst = base64.StdEncoding.AppendEncode(dst, it.Value)
			dst = append(dst, '"')
			continue
		}
		dst = AppendJSONString(dst, it.Value)
	}
	return append(dst, '}')
}

var errRescue = errors.New("rescue data is not a JSON object of texts")

// SplitRescue takes a rescue text apart, sorted by name; none if it is empty.
// Values that are base64 stay in that form, as texts, so that AppendRescue
// gives the same text again.
func SplitRescue(existing []byte) ([]Rescued, error) {
	b := bytes.TrimSpace(existing)
	if len(b) == 0 {
		return nil, nil
	}
	if b[0] != '{' || !json.Valid(b) {
		return nil, errRescue
	}
	// b is valid JSON, so that only the kinds of its tokens need a check.
	var items []Rescued
	b = skipBlank(b[1:])
	for b[0] != '}' {
		var name, value []byte
		name, b = cutJSONString(b)
		b = skipBlank(skipBlank(b)[1:])
		if b[0] != '"' {
			return nil, errRescue
		}
		value, b = cutJSONString(b)
		items = append(items, Rescued{Name: string(name), Value: value})
		if b = skipBlank(b); b[0] == ',' {
			b = skipBlank(b[1:])
		}
	}
	return items, nil
}

func skipBlank(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n") }

// cutJSONString reads the string at the start of valid JSON.
func cutJSONString(b []byte) (text, rest []byte) {
	end := 1
	escaped := false
	for b[end] != '"' {
		if b[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	if text = b[1:end]; escaped || !utf8.Valid(text) {
		var s string
		// Valid JSON that begins with a quote is a string: this cannot fail.
		_ = json.Unmarshal(b[:end+1], &s)
		text = []byte(s)
	}
	return text, b[end+1:]
}

// AppendJSONString appends s as a JSON string: as encoding/json writes it
// without HTML escapes, invalid UTF-8 as U+FFFD.
func AppendJSONString[S string | []byte](dst []byte, s S) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			var esc string
			size := 0
			if esc, size = escapeRune(s, i); esc != "" {
				dst = append(append(dst, s[start:i]...), esc...)
				start = i + size
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch short := strings.IndexByte("\"\\\b\f\n\r\t", c); {
		case short >= 0:
			dst = append(dst, '\\', `"\bfnrt`[short])
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// escapeRune returns the escape that the rune at index i needs, if any, and
// the rune's size.
func escapeRune[S string | []byte](s S, i int) (esc string, size int) {
	r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
	switch {
	case r == utf8.RuneError && size == 1:
		return `\ufffd`, size
	case r == '\u2028':
		return `\u2028`, size
	case r == '\u2029':
		return `\u2029`, size
	}
	return "", size
}
