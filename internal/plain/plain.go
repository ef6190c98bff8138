// Package plain makes texts that others wrote fit to be shown: names that were
// delivered, keys of files, what a server answered.
//
// It promises that what it returns is one line, has no control characters, nothing
// that changes the order of what is shown, and nothing that a CI system takes for a
// command. Letters, accents and emoji stay as they are. It says what a text is, not
// how to get it back: where the exact text is needed, -json has it.
package plain

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns a text with everything escaped, in the way that JSON and the
// configuration share, that is not to be shown as it is. A text that has nothing of
// the kind is returned unchanged, so that Text of Text is Text.
func Text(s string) string {
	if isPlainASCII(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	rest := s
	if c := strings.TrimLeftFunc(s, unicode.IsSpace); strings.HasPrefix(c, "::") {
		// GitHub takes a line that begins so, after blanks, for a command.
		escapeAll(&b, s[:len(s)-len(c)])
		b.WriteString(`\u003a`)
		rest = c[1:]
	}
	escapeAll(&b, rest)
	return b.String()
}

func escapeAll(b *strings.Builder, s string) {
	last, flag := rune(0), false
	for i, r := range s {
		flag = r == blackFlag || flag && isTag(r)
		switch _, n := utf8.DecodeRuneInString(s[i:]); {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(b, `\x%02x`, s[i])
		case r == '#' && last == '#': // ##[error] and ##vso[...] are commands anywhere in a line
			b.WriteString(`\u0023`)
		case hidden(r) && (!flag || !isTag(r)):
			escape(b, r)
		default:
			b.WriteRune(r)
		}
		last = r
	}
}

// isPlainASCII reports whether a text surely needs no escaping.
func isPlainASCII(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= 0x7f || c == '#' || c == ':' && i+1 < len(s) && s[i+1] == ':' {
			return false
		}
	}
	return true
}

// Flags of regions are a black flag and tags, which are hidden anywhere else.
const blackFlag = 0x1f3f4

func isTag(r rune) bool { return r >= 0xe0020 && r <= 0xe007f }

// hidden reports whether a character is a control character, a separator of lines,
// or one that shows nothing by itself. The joiners are parts of emoji and of words.
func hidden(r rune) bool {
	switch {
	case r < 0x7f:
		return r < ' '
	case r == '\u200c' || r == '\u200d':
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func escape(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// Trusted is a text that Wrap leaves as it is: one of constants and of what Text
// returned.
type Trusted string

// arg is an argument of a format, of which the text is escaped.
type arg struct{ value any }

// Format writes the value as the verb says, escaped.
func (a arg) Format(f fmt.State, verb rune) {
	_, _ = f.Write([]byte(Text(fmt.Sprintf(fmt.FormatString(f, verb), a.value))))
}

// Wrap has the texts of all arguments of a format escaped but Trusted ones, so that
// a line is broken by the format alone. It changes the slice.
func Wrap(args []any) {
	for i, a := range args {
		switch a.(type) {
		case Trusted, arg:
		default:
			args[i] = arg{a}
		}
	}
}

// Sprintf is fmt.Sprintf with the texts of its arguments escaped.
func Sprintf(format string, args ...any) string {
	Wrap(args)
	return fmt.Sprintf(format, args...)
}

// JSON escapes in an encoded JSON value what Text escapes. The value stays the same.
func JSON(encoded []byte) []byte {
	if !bytes.ContainsFunc(encoded, func(r rune) bool { return r == '#' || r > '\n' && hidden(r) }) {
		return encoded
	}
	out := make([]byte, 0, len(encoded)+32)
	last := rune(0)
	for _, r := range string(encoded) {
		switch {
		case r >= 0x10000 && hidden(r):
			hi, lo := surrogates(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		case r > '\n' && hidden(r), r == '#' && last == '#':
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = utf8.AppendRune(out, r)
		}
		last = r
	}
	return out
}

func surrogates(r rune) (hi, lo rune) {
	r -= 0x10000
	return 0xd800 + r>>10, 0xdc00 + r&0x3ff
}
