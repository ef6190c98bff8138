package model

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// idNames and timeNames are the columns whose types are given by the contract.
var (
	idNames   = []string{"user_id", "event_id", "session_id", "from_user_id", "to_user_id"}
	timeNames = []string{"time", "joindate", "last_modified"}
)

// typeOf returns the type of a delivered column: that of its name, else the
// declared one, else string.
func typeOf(name, declared string) string {
	switch {
	case slices.Contains(idNames, name):
		return "id"
	case slices.Contains(timeNames, name):
		return "timestamp"
	case declared == "":
		return "string"
	}
	return strings.ReplaceAll(strings.ToLower(declared), " ", "")
}

// castRule says how values become those of a column.
type castRule struct {
	typ   string
	unit  string // of plain numbers that are points in time
	round string
	event bool // one of the timestamps of the contract
}

func ruleFor(name string, c Column, s Settings) castRule {
	r := castRule{typ: typeOf(name, c.Type), unit: c.Unit, round: c.Round, event: slices.Contains(timeNames, name)}
	if r.unit == "" {
		r.unit = s.TimeUnit()
	}
	return r
}

// cast turns a value's text into the canonical text of a type. out is nil for
// null; lost says that the original must be rescued.
func (r castRule) cast(text string, was nature) (out *string, lost bool) {
	if r.typ == "string" {
		fixed := strings.ToValidUTF8(text, "\uFFFD")
		return &fixed, fixed != text
	}
	text = strings.TrimSpace(text)
	if text == "" || r.event && was == zero {
		return nil, false
	}
	if r.typ == "timestamp" || r.typ == "date" {
		ms, st := r.millis(text)
		if st != good {
			return nil, st == bad
		}
		if s := millisText(ms); r.typ == "timestamp" {
			return &s, false
		}
		return Text(millisText(ms)[:10]), false
	}
	if r.typ == "id" && was != ordinary {
		return nil, true
	}
	s, ok := r.castText(text)
	if !ok {
		return nil, true
	}
	return &s, false
}

var integerForm = regexp.MustCompile(`^-?[0-9]+$`)

func (r castRule) castText(text string) (string, bool) {
	switch r.typ {
	case "id", "int64":
		n, err := strconv.ParseInt(text, 10, 64)
		return strconv.FormatInt(n, 10), err == nil && integerForm.MatchString(text)
	case "boolean":
		switch strings.ToLower(text) {
		case "true", "t", "1":
			return "true", true
		case "false", "f", "0":
			return "false", true
		}
		return "", false
	case "double":
		return castDouble(text)
	case "json":
		return text, utf8.ValidString(text) && json.Valid([]byte(text))
	}
	return r.castDecimal(text)
}

func castDouble(text string) (string, bool) {
	switch strings.ToLower(text) {
	case "nan":
		return "NaN", true
	case "inf", "+inf", "infinity", "+infinity":
		return "Infinity", true
	case "-inf", "-infinity":
		return "-Infinity", true
	}
	f, err := strconv.ParseFloat(text, 64)
	return ecma(f, 64), err == nil && numberForm.MatchString(text)
}

// castDecimal takes what decimal(p,s) holds, rounded if the rule says so.
func (r castRule) castDecimal(text string) (string, bool) {
	var precision, scale int
	if n, _ := fmt.Sscanf(r.typ, "decimal(%d,%d)", &precision, &scale); n == 0 {
		return "", false
	}
	n, ok := number(text)
	if !ok {
		return "", false
	}
	unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	units := new(big.Rat).Mul(n, unit)
	if r.round == "half_even" {
		units = halfEven(units)
	}
	limit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil))
	out := new(big.Rat).Quo(units, unit).FloatString(scale)
	return out, units.IsInt() && new(big.Rat).Abs(units).Cmp(limit) < 0
}

// halfEven returns the nearest whole number, of two the even one.
func halfEven(r *big.Rat) *big.Rat {
	below := floor(r)
	above := new(big.Int).Add(below, big.NewInt(1))
	down := new(big.Rat).Sub(r, new(big.Rat).SetInt(below))
	switch c := down.Cmp(big.NewRat(1, 2)); {
	case c > 0, c == 0 && above.Bit(0) == 0:
		return new(big.Rat).SetInt(above)
	}
	return new(big.Rat).SetInt(below)
}

var numberForm = regexp.MustCompile(`^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]+))?$`)

// number reads a decimal number exactly. Exponents beyond a thousand are as
// good as a thousand for everything that is asked of a number here.
func number(text string) (*big.Rat, bool) {
	m := numberForm.FindStringSubmatch(text)
	if m == nil {
		return nil, false
	}
	r, ok := new(big.Rat).SetString(strings.TrimPrefix(m[1], "+"))
	if !ok || m[2] == "" {
		return r, ok
	}
	e, err := strconv.Atoi(m[2])
	if err != nil {
		e = 1000
		if m[2][0] == '-' {
			e = -1000
		}
	}
	e = min(max(e, -1000), 1000)
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(e, -e))), nil))
	if e < 0 {
		return r.Quo(r, p), true
	}
	return r.Mul(r, p), true
}

// compare orders two canonical texts of a type; null is lowest.
func compare(typ string, a, b *string) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	case typ == "id", typ == "int64", strings.HasPrefix(typ, "decimal"):
		x, _ := new(big.Rat).SetString(*a)
		y, _ := new(big.Rat).SetString(*b)
		return x.Cmp(y)
	case typ == "double":
		return compareDoubles(*a, *b)
	}
	// Timestamps and dates have four-digit years, and false is before true.
	return strings.Compare(*a, *b)
}

// compareDoubles has NaN above everything else.
func compareDoubles(a, b string) int {
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	switch {
	case math.IsNaN(x) && math.IsNaN(y):
		return 0
	case math.IsNaN(x), x > y:
		return 1
	case math.IsNaN(y), x < y:
		return -1
	}
	return 0
}
