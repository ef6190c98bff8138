package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"reconcile/internal/plain"
)

// What others wrote reaches a stream only in these ways, so that it can neither
// forge a line of ours nor steer a terminal or a CI system:
//
//   - as an argument of say, of a view's printf and of record: a line is broken by
//     the format alone, which is a constant;
//   - as a line of JSON, which jsonLine escapes;
//   - as the text of a diagnostic, of which package config escapes the arguments.
//
// Whatever is forgotten there loses its control characters in the streams, which
// are all a plain.Writer.

// say writes a format with its arguments escaped. Errors are for the end of the
// program, where there is one to tell.
func say(w io.Writer, format string, args ...any) {
	plain.Wrap(args)
	fmt.Fprintf(w, format, args...)
}

// output is standard output. It remembers the first error, so that nobody who
// writes to it has to.
type output struct {
	io.Writer
	buffer   *bufio.Writer
	terminal bool
	width    int // in characters; 0 when it is no terminal
}

func newOutput(w io.Writer) *output {
	b := bufio.NewWriter(w)
	o := &output{Writer: plain.Writer{W: b}, buffer: b}
	if o.terminal = isTerminal(w); o.terminal {
		o.width = widthOf(w)
	}
	return o
}

func (o *output) flush() error { return o.buffer.Flush() }

// stream returns the file that a writer writes to, nil if it is none.
func stream(w io.Writer) *os.File {
	switch w := w.(type) {
	case *os.File:
		return w
	case plain.Writer:
		return stream(w.W)
	case *errorStream:
		if w.logs() == nil {
			return stream(w.Writer)
		}
	}
	return nil
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(w io.Writer) bool {
	f := stream(w)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// widthOf returns the width of a terminal in characters, the usual one when it
// does not say.
func widthOf(w io.Writer) int {
	if f := stream(w); f != nil {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// style colours text for one stream, or leaves it alone. It escapes the text.
type style bool

func (i style) paint(code, s string) plain.Trusted {
	s = plain.Text(s)
	if !i || s == "" {
		return plain.Trusted(s)
	}
	return plain.Trusted("\x1b[" + code + "m" + s + "\x1b[0m")
}

func (i style) bold(s string) plain.Trusted   { return i.paint("1", s) }
func (i style) red(s string) plain.Trusted    { return i.paint("31", s) }
func (i style) green(s string) plain.Trusted  { return i.paint("32", s) }
func (i style) yellow(s string) plain.Trusted { return i.paint("33", s) }

// styleFor decides whether a stream gets colours: on terminals, unless the flag
// or NO_COLOR (https://no-color.org) says no.
func styleFor(w io.Writer, off bool, getenv func(string) (string, bool)) style {
	if v, _ := getenv("NO_COLOR"); off || v != "" {
		return false
	}
	if v, _ := getenv("TERM"); v == "dumb" {
		return false
	}
	if o, ok := w.(*output); ok {
		return style(o.terminal)
	}
	return style(isTerminal(w))
}
