package dump

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deeply values may be nested.
const maxDepth = 1000

// scanner walks over JSON text, which must be valid UTF-8. Texts without
// escapes are slices of it, and nothing but those is kept: a manifest costs one
// pass and next to no allocation.
type scanner struct {
	s     string
	i     int
	depth int
}

// syntaxError reports text that is not JSON.
type syntaxError struct{ what, where string }

func (e *syntaxError) Error() string { return "it is not valid JSON: " + e.what + " " + e.where }

// errCut reports text that is JSON as far as it goes.
var errCut = errors.New("it ends in the middle")

func (p *scanner) fail(what string) error {
	if p.i >= len(p.s) {
		return errCut
	}
	return &syntaxError{what, around(p.s, p.i)}
}

// peek returns the first byte of what comes next, blanks skipped; 0 at the end.
func (p *scanner) peek() byte {
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return c
		}
	}
	return 0
}

func (p *scanner) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.i++
	return true
}

// end reports whether nothing but blanks is left.
func (p *scanner) end() bool {
	p.peek()
	return p.i >= len(p.s)
}

// object calls member for each member; member reads or skips the value.
func (p *scanner) object(member func(name string) error) error {
	return p.nested('{', '}', func() error {
		name, err := p.text()
		if err != nil {
			return err
		}
		if !p.take(':') {
			return p.fail("no colon after a name")
		}
		return member(name)
	})
}

// array calls element for each element; element reads or skips it.
func (p *scanner) array(element func() error) error { return p.nested('[', ']', element) }

func (p *scanner) nested(first, last byte, item func() error) error {
	if !p.take(first) {
		return p.fail(fmt.Sprintf("no %q", first))
	}
	if p.depth++; p.depth > maxDepth {
		return p.fail("values are nested too deeply")
	}
	defer func() { p.depth-- }()
	if p.take(last) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if p.take(last) {
			return nil
		}
		if !p.take(',') {
			return p.fail("no comma")
		}
	}
}

// text reads a string.
func (p *scanner) text() (string, error) {
	if !p.take('"') {
		return "", p.fail("no string")
	}
	s, start := p.s, p.i
	i := start
	for i < len(s) && s[i] != '"' && s[i] != '\\' && s[i] >= ' ' {
		i++
	}
	p.i = i
	switch {
	case i >= len(s):
		return "", errCut
	case s[i] == '\\':
		return p.escaped(start)
	case s[i] == '"':
		p.i++
		return s[start:i], nil
	}
	return "", p.fail("a control character in a string")
}

// escaped reads the rest of a string from its first escape on.
func (p *scanner) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == '"':
			return b.String(), nil
		case c < ' ':
			p.i--
			return "", p.fail("a control character in a string")
		case c != '\\':
			b.WriteByte(c)
		default:
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		}
	}
	return "", errCut
}

// escape reads what follows a backslash. Half a surrogate pair becomes U+FFFD.
func (p *scanner) escape() (rune, error) {
	if p.i >= len(p.s) {
		return 0, errCut
	}
	c := p.s[p.i]
	if c == 'u' {
		p.i++
		return p.escapeUnicode()
	}
	k := strings.IndexByte(`"\/bfnrt`, c)
	if k < 0 {
		return 0, p.fail("an unknown escape")
	}
	p.i++
	return rune("\"\\/\b\f\n\r\t"[k]), nil
}

func (p *scanner) escapeUnicode() (rune, error) {
	r, err := p.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !strings.HasPrefix(p.s[p.i:], `\u`) {
		return utf8.RuneError, nil
	}
	back := p.i
	p.i += 2
	low, err := p.hex4()
	if err != nil {
		return 0, err
	}
	pair := utf16.DecodeRune(r, low)
	if pair == utf8.RuneError {
		p.i = back // the second escape stands for itself
	}
	return pair, nil
}

func (p *scanner) hex4() (rune, error) {
	var r rune
	for range 4 {
		if p.i >= len(p.s) {
			return 0, errCut
		}
		k := strings.IndexByte("0123456789abcdef", p.s[p.i]|0x20)
		if k < 0 || p.s[p.i] < '0' {
			return 0, p.fail("a bad \\u escape")
		}
		r = r<<4 | rune(k)
		p.i++
	}
	return r, nil
}

// number reads a number and returns its text.
func (p *scanner) number() (string, error) {
	p.peek()
	start := p.i
	p.accept("-")
	if !p.accept("0") && p.digits() == 0 {
		return "", p.fail("no value")
	}
	if p.accept(".") && p.digits() == 0 {
		return "", p.fail("no digit after the point")
	}
	if p.accept("eE") {
		p.accept("+-")
		if p.digits() == 0 {
			return "", p.fail("no digit in the exponent")
		}
	}
	return p.s[start:p.i], nil
}

func (p *scanner) accept(set string) bool {
	if p.i < len(p.s) && strings.IndexByte(set, p.s[p.i]) >= 0 {
		p.i++
		return true
	}
	return false
}

func (p *scanner) digits() int {
	start := p.i
	for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i - start
}

// literal reads true, false or null.
func (p *scanner) literal(word string) error {
	p.peek()
	rest := p.s[p.i:]
	switch {
	case strings.HasPrefix(rest, word):
		p.i += len(word)
		return nil
	case strings.HasPrefix(word, rest):
		return errCut
	}
	return p.fail("no value")
}

// skip passes over any value.
func (p *scanner) skip() error {
	switch p.peek() {
	case '{':
		return p.object(func(string) error { return p.skip() })
	case '[':
		return p.array(p.skip)
	case '"':
		_, err := p.text()
		return err
	case 't':
		return p.literal("true")
	case 'f':
		return p.literal("false")
	case 'n':
		return p.literal("null")
	}
	_, err := p.number()
	return err
}
