package config

import (
	"errors"
)

// pattern is a name or a glob: "*" is any text, "?" one character, "[a-z]" one
// of a set and "[!a-z]" one outside it. All else stands for itself.
type pattern struct {
	text     string
	parts    []globPart
	literals int  // characters that stand for themselves
	glob     bool // has at least one part that is not a literal
}

type partKind uint8

const (
	partLiteral partKind = iota
	partAny
	partStar
	partSet
)

type globPart struct {
	kind    partKind
	literal rune
	negated bool
	ranges  [][2]rune
}

var (
	errGlobEmpty = errors.New("it is empty")
	errGlobOpen  = errors.New("a \"[\" has no \"]\"; to mean the character itself write \"[[]\"")
	errGlobRange = errors.New("a range inside \"[...]\" runs backwards or lacks its end")
)

func parsePattern(s string) (pattern, error) {
	p := pattern{text: s}
	if s == "" {
		return p, errGlobEmpty
	}
	rs := []rune(s)
	for i := 0; i < len(rs); i++ {
		switch rs[i] {
		case '*':
			p.parts = append(p.parts, globPart{kind: partStar})
		case '?':
			p.parts = append(p.parts, globPart{kind: partAny})
		case '[':
			part, n, err := parseSet(rs[i+1:])
			if err != nil {
				return p, err
			}
			p.parts = append(p.parts, part)
			i += n
		default:
			p.parts = append(p.parts, globPart{kind: partLiteral, literal: rs[i]})
			p.literals++
		}
	}
	p.glob = p.literals < len(p.parts)
	return p, nil
}

// parseSet reads the inside of "[...]" and returns how many characters it took,
// the closing bracket included. A "]" that stands first is a member.
func parseSet(rs []rune) (globPart, int, error) {
	part := globPart{kind: partSet}
	i := 0
	if i < len(rs) && (rs[i] == '!' || rs[i] == '^') {
		part.negated = true
		i++
	}
	for first := true; i < len(rs); first = false {
		lo := rs[i]
		if lo == ']' && !first {
			return part, i + 1, nil
		}
		hi := lo
		if i+2 < len(rs) && rs[i+1] == '-' && rs[i+2] != ']' {
			hi = rs[i+2]
			i += 2
		}
		if hi < lo {
			return part, 0, errGlobRange
		}
		part.ranges = append(part.ranges, [2]rune{lo, hi})
		i++
	}
	return part, 0, errGlobOpen
}

func (g globPart) takes(r rune) bool {
	switch g.kind {
	case partLiteral:
		return g.literal == r
	case partAny:
		return true
	}
	for _, b := range g.ranges {
		if b[0] <= r && r <= b[1] {
			return !g.negated
		}
	}
	return g.negated
}

// match reports whether the pattern takes the whole name. On a mismatch it goes
// back to the last star only, which is enough for globs.
func (p pattern) match(name string) bool {
	rs := []rune(name)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(rs) {
		switch {
		case i < len(p.parts) && p.parts[i].kind == partStar:
			star, mark = i, j
			i++
		case i < len(p.parts) && p.parts[i].takes(rs[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p.parts) && p.parts[i].kind == partStar {
		i++
	}
	return i == len(p.parts)
}
