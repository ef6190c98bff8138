package main

import (
	"bufio"
	"io"
	"os"

	"golang.org/x/term"
)

// output is standard output. It remembers the first error, so that nobody who
// writes to it has to.
type output struct {
	*bufio.Writer
	terminal bool
	width    int // in characters; 0 when it is no terminal
}

func newOutput(f *os.File) *output {
	o := &output{Writer: bufio.NewWriter(f)}
	if o.terminal = isTerminal(f); o.terminal {
		o.width = widthOf(f)
	}
	return o
}

func (o *output) flush() error { return o.Flush() }

// isTerminal reports whether a stream is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// widthOf returns the width of a terminal in characters, the usual one when it
// does not say.
func widthOf(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// ink colours text for one stream, or leaves it alone.
type ink bool

func (i ink) paint(code, s string) string {
	if !i || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (i ink) bold(s string) string   { return i.paint("1", s) }
func (i ink) red(s string) string    { return i.paint("31", s) }
func (i ink) green(s string) string  { return i.paint("32", s) }
func (i ink) yellow(s string) string { return i.paint("33", s) }

// inkFor decides whether a stream gets colours: on terminals, unless the flag
// or NO_COLOR (https://no-color.org) says no.
func inkFor(w io.Writer, off bool, getenv func(string) (string, bool)) ink {
	if v, _ := getenv("NO_COLOR"); off || v != "" {
		return false
	}
	if v, _ := getenv("TERM"); v == "dumb" {
		return false
	}
	if o, ok := w.(*output); ok {
		return ink(o.terminal)
	}
	return ink(isTerminal(w))
}
