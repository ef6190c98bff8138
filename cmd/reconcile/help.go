package main

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"reconcile/internal/plain"
)

// overview writes the help of the whole program.
func (p *program) overview(w io.Writer) {
	fmt.Fprint(w, "Usage: reconcile [-chdir=DIR] COMMAND [flags]\n\n"+
		"Keeps curated tables equal to what a Data Connect export says they should be.\n\nCommands:\n")
	for _, c := range commands() {
		say(w, "  %-13s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
Flags before the command:
  -chdir=DIR  work as if started in the folder DIR
  -help       show this; every command has it too
  -version    same as the command version

Exit codes: 0 done or nothing to do, 1 error, 2 "plan -detailed-exitcode" found
changes, 3 applied in part and safe to run again, 11 the state is locked,
12 the saved plan is stale, 13 a guard holds something, or status or verify found a problem,
130 interrupted.
`)
}

// describe writes the help of one command.
func (c *command) describe(w io.Writer, f *flag.FlagSet) {
	say(w, "Usage: reconcile [-chdir=DIR] %s\n\n%s.\n", strings.TrimSpace(c.name+" "+c.usage), c.summary)
	if c.help != "" {
		say(w, "\n%s\n", plain.Trusted(strings.TrimSpace(c.help)))
	}
	fmt.Fprint(w, "\nFlags:\n")
	f.VisitAll(func(fl *flag.Flag) {
		placeholder, usage := flag.UnquoteUsage(fl)
		name := "-" + fl.Name
		if b, ok := fl.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			switch {
			case placeholder != "":
				name += "[=" + placeholder + "]"
			case fl.DefValue == "true":
				name += "=false"
			}
		} else {
			name += "=" + placeholder
		}
		describeFlag(w, name, usage)
	})
}

const (
	helpWidth  = 100 // of a line
	flagColumn = 22  // of names of flags, behind which stands what they do
)

// describeFlag writes what a flag does, behind its name, or below where that is long.
func describeFlag(w io.Writer, name, usage string) {
	lines := wrap(usage, helpWidth-flagColumn-3)
	if len(name) > flagColumn {
		say(w, "  %s\n", name)
		name = ""
	}
	for _, line := range lines {
		say(w, "  %-22s %s\n", name, line)
		name = ""
	}
}

// wrap breaks a text into lines between words.
func wrap(text string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		if n := len(lines) - 1; n >= 0 && len(lines[n])+1+len(word) <= width {
			lines[n] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
