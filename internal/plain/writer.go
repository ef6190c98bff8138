package plain

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// Writer is the last resort of an output: it escapes control characters whoever
// wrote them, but for the ends of lines, tabs and colours. It cannot tell our lines
// from those that a name forges; that is for Text. A text must come in one piece.
type Writer struct{ W io.Writer }

// Write writes p, escaped, and reports len(p) if all of that was written.
func (w Writer) Write(p []byte) (int, error) {
	if !bytes.ContainsFunc(p, hiddenInLines) {
		return w.W.Write(p)
	}
	if _, err := io.WriteString(w.W, lines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func hiddenInLines(r rune) bool {
	return r != '\n' && r != '\t' && (hidden(r) && !isTag(r) || r == utf8.RuneError)
}

// lines escapes what is hidden in a text of several lines.
func lines(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if n := colour(s); n > 0 {
			b.WriteString(s[:n])
			s = s[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			escapeAll(&b, s[:1])
		case hiddenInLines(r) && r != utf8.RuneError:
			escape(&b, r)
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// colour returns the length of the escape sequence for a colour that a text begins
// with, as ESC [ 3 1 m; 0 if it does not.
func colour(s string) int {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0
	}
	for i := 2; i < min(len(s), len("\x1b[1;31m")); i++ {
		if s[i] == 'm' {
			return i + 1
		}
		if s[i] != ';' && (s[i] < '0' || s[i] > '9') {
			break
		}
	}
	return 0
}
