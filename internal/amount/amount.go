// Package amount says how many there are of something, to people.
package amount

import (
	"fmt"
	"strconv"
	"strings"
)

// Number writes a number with thousands separators.
func Number[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Of writes a number and what it counts, which is given as one of it.
func Of[T int | int64](n T, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if stem, ok := strings.CutSuffix(one, "y"); ok {
		return Number(n) + " " + stem + "ies"
	}
	return Number(n) + " " + one + "s"
}

// Verb returns the one of two forms that goes with a number: is or are.
func Verb[T int | int64](n T, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// few is how many of a list are named.
const few = 10

// Few returns the first texts of a list, and behind them how many more there are.
func Few(list []string) []string {
	if len(list) <= few {
		return list
	}
	return append(list[:few:few], fmt.Sprintf("and %s more", Number(len(list)-few)))
}
