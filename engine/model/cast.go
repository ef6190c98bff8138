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

// cast turns a value's text into the canonical text of a type. out is nil for
// null; lost says that the original must be rescued.
func cast(typ, text string, float bool) (out *string, lost bool) {
	if typ == "string" {
		fixed := strings.ToValidUTF8(text, "\uFFFD")
		return &fixed, fixed != text
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, false
	}
	if typ == "timestamp" || typ == "date" {
		ms, st := millis(text)
		if st != good {
			return nil, st == bad
		}
		if s := millisText(ms); typ == "timestamp" {
			return &s, false
		}
		return Text(millisText(ms)[:10]), false
	}
	if typ == "id" && float {
		return nil, true
	}
	s, ok := castText(typ, text)
	if !ok {
		return nil, true
	}
	return &s, false
}

var integerForm = regexp.MustCompile(`^-?[0-9]+$`)

func castText(typ, text string) (string, bool) {
	switch typ {
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
	return castDecimal(typ, text)
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

// castDecimal takes what decimal(p,s) holds exactly.
func castDecimal(typ, text string) (string, bool) {
	var precision, scale int
	if n, _ := fmt.Sscanf(typ, "decimal(%d,%d)", &precision, &scale); n == 0 {
		return "", false
	}
	r, ok := number(text)
	if !ok {
		return "", false
	}
	exact := r.FloatString(scale)
	back, _ := new(big.Rat).SetString(exact)
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision-scale)), nil)
	return exact, back.Cmp(r) == 0 && new(big.Rat).Abs(r).Cmp(new(big.Rat).SetInt(limit)) < 0
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
