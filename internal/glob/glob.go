// Package glob matches names with globs. It keeps nothing and reads nothing.
package glob

import (
	"errors"
	"unicode/utf8"
)

// Pattern is a name or a glob: "*" is any text, "?" one character, "[a-z]" one of
// a set and "[!a-z]" one outside it. All else stands for itself, and case counts.
// Check says whether a text is one; of any other text nothing is promised.
type Pattern string

var (
	errEmpty = errors.New("it is empty")
	errOpen  = errors.New("a \"[\" has no \"]\"; to mean the character itself write \"[[]\"")
	errRange = errors.New("a range inside \"[...]\" runs backwards or lacks its end")
)

// Check returns what is wrong with the pattern, nil if nothing is.
func (p Pattern) Check() error {
	if p == "" {
		return errEmpty
	}
	for rest := string(p); rest != ""; {
		_, n, err := first(rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// Literals returns how many characters stand for themselves.
func (p Pattern) Literals() int {
	literals, _ := p.count()
	return literals
}

// IsGlob reports whether the pattern can match more than its own text: it has a part
// that is no literal character.
func (p Pattern) IsGlob() bool {
	literals, parts := p.count()
	return literals < parts
}

func (p Pattern) count() (literals, parts int) {
	for rest := string(p); rest != ""; parts++ {
		part, n, err := first(rest)
		if err != nil {
			return literals, parts + 1
		}
		if part.kind == partLiteral {
			literals++
		}
		rest = rest[n:]
	}
	return literals, parts
}

// Match reports whether the pattern takes the whole name. On a mismatch it goes
// back to the last star only, which is enough for globs.
func (p Pattern) Match(name string) bool {
	rest, star, back := string(p), "", ""
	starred := false
	for name != "" {
		r, width := utf8.DecodeRuneInString(name)
		part, n, err := partAt(rest)
		switch {
		case err == nil && n > 0 && part.kind == partStar:
			rest = rest[n:]
			star, back, starred = rest, name, true
		case err == nil && n > 0 && part.takes(r):
			rest, name = rest[n:], name[width:]
		case starred:
			_, width = utf8.DecodeRuneInString(back)
			back = back[width:]
			rest, name = star, back
		default:
			return false
		}
	}
	for rest != "" && rest[0] == '*' {
		rest = rest[1:]
	}
	return rest == ""
}

type partKind uint8

const (
	partLiteral partKind = iota
	partAny
	partStar
	partSet
)

// part is one part of a pattern.
type part struct {
	kind    partKind
	literal rune   // of partLiteral
	set     string // of partSet: what stands between the brackets
}

// partAt is first, with a length of 0 at the end of the pattern.
func partAt(rest string) (part, int, error) {
	if rest == "" {
		return part{}, 0, nil
	}
	return first(rest)
}

// first returns the first part of what is left of a pattern, and its length in bytes.
func first(rest string) (part, int, error) {
	switch rest[0] {
	case '*':
		return part{kind: partStar}, 1, nil
	case '?':
		return part{kind: partAny}, 1, nil
	case '[':
		n, err := setEnd(rest[1:])
		if err != nil {
			return part{}, 0, err
		}
		return part{kind: partSet, set: rest[1 : 1+n]}, n + 2, nil
	}
	r, n := utf8.DecodeRuneInString(rest)
	return part{kind: partLiteral, literal: r}, n, nil
}

// negated cuts the sign off a set that takes what it does not list.
func negated(set string) (string, bool) {
	if set != "" && (set[0] == '!' || set[0] == '^') {
		return set[1:], true
	}
	return set, false
}

// setEnd returns where the set ends that rest begins with: the place of its "]". One
// that stands first is a member.
func setEnd(rest string) (int, error) {
	at, _ := negated(rest)
	for begin := at; at != ""; {
		if at[0] == ']' && len(at) < len(begin) {
			return len(rest) - len(at), nil
		}
		lo, hi, n := setRange(at)
		if hi < lo {
			return 0, errRange
		}
		at = at[n:]
	}
	return 0, errOpen
}

// setRange returns the range of characters that a set begins with, and its length in
// bytes.
func setRange(set string) (lo, hi rune, n int) {
	lo, n = utf8.DecodeRuneInString(set)
	if len(set) > n+1 && set[n] == '-' && set[n+1] != ']' {
		hi, width := utf8.DecodeRuneInString(set[n+1:])
		return lo, hi, n + 1 + width
	}
	return lo, lo, n
}

// takes reports whether the part takes a character.
func (p part) takes(r rune) bool {
	switch p.kind {
	case partLiteral:
		return p.literal == r
	case partAny:
		return true
	}
	set, not := negated(p.set)
	for set != "" {
		lo, hi, n := setRange(set)
		if lo <= r && r <= hi {
			return !not
		}
		set = set[n:]
	}
	return not
}
