package scaffold

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"reconcile/internal/column"
)

// enough is how many values a column must have in the sample to be given a type.
const enough = 20

// guesses are the types that are tried, in this order. A value must look like one of the
// type beyond any doubt: what merely casts, as "1" to a boolean, says nothing.
var guesses = []struct {
	id    column.TypeID
	looks *regexp.Regexp
	of    func(last string) bool // columns by the last word of their names
}{
	{column.Boolean, regexp.MustCompile(`^(?i:true|false)$`), anything},
	{column.Date, regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`), anything},
	{column.Timestamp, regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}`), anything},
	// Milliseconds since 1970, from 2001 on.
	{column.Timestamp, regexp.MustCompile(`^[1-9][0-9]{12}$`), isTime},
	// No leading zeros and no more digits than a quantity has: what has them is a name.
	{column.Int64, regexp.MustCompile(`^(0|-?[1-9][0-9]{0,11})$`), isQuantity},
	{column.Double, regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`), isQuantity},
}

// mostDigits is how many digits a double holds surely.
const mostDigits = 15

func anything(string) bool { return true }

func isTime(last string) bool {
	return slices.Contains([]string{"time", "date", "at", "timestamp", "ts"}, last)
}

// isQuantity reports whether the numbers of a column are quantities, not names of things.
func isQuantity(last string) bool {
	return !slices.Contains([]string{"id", "ids", "uid", "uuid", "guid", "code", "codes", "zip", "postcode", "postal", "plz", "phone", "mobile", "fax",
		"sku", "ean", "gtin", "upc", "isbn", "number", "no", "nr", "num", "key", "hash", "version", "ver", "account", "iban", "card", "token", "year"}, last)
}

var word = regexp.MustCompile(`[A-Z]*[a-z]+|[A-Z]+|[0-9]+`)

// lastWord is the last word of a name, in lower case.
func lastWord(name string) string {
	words := word.FindAllString(name, -1)
	if len(words) == 0 {
		return ""
	}
	return strings.ToLower(words[len(words)-1])
}

// types returns what can be said of the columns of the sample, by name.
func (p *sample) types() []Type {
	var out []Type
	for _, f := range p.fields {
		if cty.NormalizeString(f.name) != f.name {
			continue // no label can be this name
		}
		if t, n := guess(f.name, &f.values); n > 0 {
			out = append(out, Type{Column: f.name, Type: column.Type{ID: t}.String(), Values: n})
		}
	}
	slices.SortFunc(out, func(a, b Type) int { return cmp.Compare(a.Column, b.Column) })
	return out
}

// guess returns the type that all values of a column have, and how many these are; none
// if there is no such type, or there are not enough of them. Empty texts count for
// nothing: they are null in every type but text.
func guess(name string, c *column.Column) (column.TypeID, int) {
	n := 0
	for i := range c.Len() {
		if len(bytes.TrimSpace(c.Bytes(i))) > 0 {
			n++
		}
	}
	if n < enough {
		return 0, 0
	}
	for _, g := range guesses {
		if !g.of(lastWord(name)) || !all(c, g.looks, g.id == column.Double) {
			continue
		}
		var out column.Column
		if fails := column.Cast(c, column.Type{ID: g.id}, &out); len(fails) == 0 {
			return g.id, n
		}
	}
	return 0, 0
}

// all reports whether all values of a column that are not empty look like a pattern. As
// doubles they have no more digits than one holds, and some have a fraction or an exponent.
func all(c *column.Column, looks *regexp.Regexp, doubles bool) bool {
	fractions := false
	for i := range c.Len() {
		v := c.Bytes(i)
		if len(bytes.TrimSpace(v)) == 0 {
			continue
		}
		if !looks.Match(v) || doubles && digits(v) > mostDigits {
			return false
		}
		fractions = fractions || bytes.ContainsAny(v, ".eE")
	}
	return fractions || !doubles
}

func digits(v []byte) int {
	n := 0
	for _, b := range v {
		if '0' <= b && b <= '9' {
			n++
		}
	}
	return n
}
