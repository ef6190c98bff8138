// Package markdown writes Markdown, as GitHub and GitLab read it, about texts that others
// wrote: names that were delivered, keys of files, what a server answered.
//
// It promises that such a text shows as what it is and does nothing. It cannot break a
// table, notify a user or a team, link to an issue, a commit or a page, begin or end a
// comment, or be HTML. The way to that is one rule: what is not a constant of the program
// or a number is a code span, in which hosts look for none of this, and which has neither
// a line break nor a mark that divides cells.
//
// A Document stays within a number of bytes, as hosts refuse comments above theirs.
package markdown

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"reconcile/internal/amount"
	"reconcile/internal/plain"
)

// Text is Markdown within a line: constants of the program, numbers, and what Code made.
type Text string

const (
	// mostOfText is how many bytes are shown of a text.
	mostOfText = 1000
	// mostInList is how many texts of a list are shown.
	mostInList = 20
)

// Code is a text as a code span, cut where it is very long; empty if it is. Its fence is
// longer than any run of backticks in it. A bar, which divides cells even in code, is
// escaped as plain.Text escapes.
func Code(s string) Text {
	s = strings.ReplaceAll(plain.Text(s), "|", `\u007c`)
	if s == "" {
		return ""
	}
	if len(s) > mostOfText {
		cut := mostOfText
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	longest, run := 0, 0
	for _, r := range s {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if begins, ends := s[0], s[len(s)-1]; begins == '`' || ends == '`' || begins == ' ' && ends == ' ' && strings.TrimSpace(s) != "" {
		s = " " + s + " " // of which the fence takes one on each side
	}
	return Text(fence + s + fence)
}

// List is code spans of names, the first of many.
func List(names []string) Text {
	var b strings.Builder
	for i, name := range names {
		if i == mostInList {
			fmt.Fprintf(&b, " and %s more", amount.Number(len(names)-i))
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(Code(name)))
	}
	return Text(b.String())
}

// Sprintf is fmt.Sprintf for a format that is a constant, without tildes and other marks
// of Markdown that are not meant, and with the verbs %s and %d alone. A string is a Code, a
// []string a List, and a long number is code as well; what is plain.Trusted is taken as it
// is, but for these.
func Sprintf(format string, args ...any) Text {
	for i, a := range args {
		switch a := a.(type) {
		case Text:
		case plain.Trusted:
			args[i] = own(string(a))
		case int, int64, uint32, uint64:
			args[i] = own(fmt.Sprint(a))
		case []string:
			args[i] = List(a)
		case string:
			args[i] = Code(a)
		default:
			args[i] = Code(fmt.Sprint(a))
		}
	}
	return Text(fmt.Sprintf(strings.ReplaceAll(string(own(format)), "%d", "%s"), args...))
}

// hashLike are numbers of seven digits and more, as ids of dumps can be: hosts link them
// where a commit begins with them.
var hashLike = regexp.MustCompile(`[0-9]{7,}`)

// own is a text of the program. The tilde, which marks estimates in it, and strikes out in
// Markdown, is shown as it is.
func own(s string) Text {
	return Text(hashLike.ReplaceAllString(strings.ReplaceAll(s, "~", `\~`), "`$0`"))
}

// Hidden is a comment that no reader sees, of a kind, with values by which a program tells
// it from others: it is the same for the same ones.
func Hidden(kind string, values ...string) string {
	var b strings.Builder
	b.WriteString("<!-- " + kind)
	for _, v := range values {
		b.WriteString(" ")
		b.WriteString(hidden(v))
	}
	return b.String() + " -->"
}
