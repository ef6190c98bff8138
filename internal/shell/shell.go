// Package shell writes arguments so that they can be pasted into a shell.
package shell

import (
	"strings"
	"unicode"
)

// Word returns an argument as a shell takes it for one word: as it is if nothing in it
// needs quotes, else in single quotes.
func Word(arg string) string {
	if arg != "" && !strings.ContainsFunc(arg, isSpecial) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// isSpecial reports whether a character can mean anything but itself to a shell.
func isSpecial(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_=@%+:,./", r)
}
