package model

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// status is what a text is as a timestamp.
type status int

const (
	good status = iota
	none        // it stands for no time
	bad
)

// millis reads a trimmed text as milliseconds since the epoch.
func (r castRule) millis(text string) (int64, status) {
	if text == "" || strings.EqualFold(text, "invalid date") {
		return 0, none
	}
	t, ok := instant(text)
	if n, isNumber := number(text); isNumber {
		if n.Sign() == 0 {
			return 0, none
		}
		t, ok = floor(new(big.Rat).Mul(n, r.counts(n))), n.Sign() > 0 || r.unit != "" && r.unit != "auto"
	}
	year := 1
	if r.event {
		year = 1970
	}
	first := big.NewInt(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	last := big.NewInt(time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC).UnixMilli())
	if !ok || t.Cmp(first) < 0 || t.Cmp(last) > 0 {
		return 0, bad
	}
	return t.Int64(), good
}

// counts returns the milliseconds that a number counts: those of the unit, or by its
// magnitude.
func (r castRule) counts(n *big.Rat) *big.Rat {
	switch r.unit {
	case "s":
		return big.NewRat(1000, 1)
	case "ms":
		return big.NewRat(1, 1)
	case "us":
		return big.NewRat(1, 1000)
	case "ns":
		return big.NewRat(1, 1000_000)
	}
	abs := new(big.Rat).Abs(n)
	below := func(exp int64) bool {
		return abs.Cmp(new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(exp), nil))) < 0
	}
	switch {
	case below(11):
		return big.NewRat(1000, 1)
	case below(14):
		return big.NewRat(1, 1)
	case below(17):
		return big.NewRat(1, 1000)
	}
	return big.NewRat(1, 1000_000)
}

// floor rounds down, also below zero.
func floor(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) }

const (
	zone     = `(Z|z| ?UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?`
	extended = `^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?` + zone + `)?$`
	basic    = `^([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:[.,]([0-9]+))?)?)?` + zone + `$`
)

var isoForms = []*regexp.Regexp{regexp.MustCompile(extended), regexp.MustCompile(basic)}

// instant reads ISO 8601 text as milliseconds since the epoch.
func instant(text string) (*big.Int, bool) {
	for _, form := range isoForms {
		m := form.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		n := func(i int) int { v, _ := strconv.Atoi(m[i]); return v }
		t := time.Date(n(1), time.Month(n(2)), n(3), n(4), n(5), n(6), 0, time.UTC)
		sane := t.Month() == time.Month(n(2)) && t.Day() == n(3) && n(4) < 24 && n(5) < 60 && n(6) < 60
		ms, _ := strconv.ParseInt((m[7] + "000")[:3], 10, 64)
		ms += t.UnixMilli() - offset(m[8]).Milliseconds()
		return big.NewInt(ms), sane
	}
	return nil, false
}

// offset reads +HH, +HHMM or +HH:MM; anything else is UTC.
func offset(text string) time.Duration {
	digits := strings.ReplaceAll(text, ":", "")
	if len(digits) < 3 || digits[0] != '+' && digits[0] != '-' {
		return 0
	}
	h, _ := strconv.Atoi(digits[1:3])
	m, _ := strconv.Atoi(digits[3:])
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if digits[0] == '-' {
		return -d
	}
	return d
}

// millisText is the canonical text of a timestamp.
func millisText(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
