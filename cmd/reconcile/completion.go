package main

import (
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/internal/plain"
)

// A script for a shell asks the program what can stand at the cursor. So it knows what the
// program knows: commands and flags of the table that the help is made of, and the tables
// of the configuration and of a state on this machine. Nothing is written, nothing is said
// of mistakes, and no server is asked.

func completionCommand() *command {
	c := &command{
		name:    "completion",
		usage:   "bash|zsh|fish",
		words:   []string{"bash", "zsh", "fish"},
		summary: "Print a script that completes commands, flags and tables in a shell",
		help: `For the shell that runs: bash has eval "$(reconcile completion bash)", zsh
eval "$(reconcile completion zsh)" after compinit, fish reconcile completion fish | source.
The script asks reconcile itself; with words or bash-line that prints what can follow.`,
		maxArgs: 1 << 10,
		flags:   func(*flag.FlagSet) {},
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		switch {
		case len(args) == 1 && completionScripts()[args[0]] != "":
			say(s.out, "%s", plain.Trusted(completionScripts()[args[0]]))
		case len(args) > 1 && args[0] == "words":
			for _, w := range s.completed(ctx, args[1:]) {
				say(s.out, "%s\n", plain.Trusted(w))
			}
		case len(args) == 3 && args[0] == "bash-line":
			for _, w := range s.completedLine(ctx, args[1], args[2]) {
				say(s.out, "%s\n", plain.Trusted(w))
			}
		default:
			return 0, errors.New("write `reconcile completion bash`, zsh or fish")
		}
		return exitDone, nil
	}
	return c
}

// filesFollow says that names of files can follow, too.
const filesFollow = ":files"

// completed lists what the last of the words behind the name of the program can become.
func (s *session) completed(ctx context.Context, words []string) []string {
	q := &completing{word: words[len(words)-1], before: words[:len(words)-1], tables: func() []string { return s.tableNames(ctx) }}
	for len(q.before) > 0 && strings.HasPrefix(q.before[0], "-") {
		name, dir, valued := strings.Cut(strings.TrimLeft(q.before[0], "-"), "=")
		if q.before = q.before[1:]; name != "chdir" {
			continue
		}
		if !valued && len(q.before) > 0 {
			dir, q.before = q.before[0], q.before[1:]
		}
		if os.Chdir(dir) != nil {
			return nil
		}
	}
	if len(q.before) == 0 {
		return q.commands()
	}
	for _, c := range commands() {
		if c.name == q.before[0] {
			q.before = q.before[1:]
			return q.of(c)
		}
	}
	return nil
}

// completing is one question.
type completing struct {
	before []string // the words before
	word   string   // that is begun
	tables func() []string
	out    []string
}

// add adds what begins as the word does.
func (q *completing) add(candidates ...string) {
	for _, c := range candidates {
		if strings.HasPrefix(c, q.word) {
			q.out = append(q.out, c)
		}
	}
}

func (q *completing) commands() []string {
	if strings.HasPrefix(q.word, "-chdir=") {
		return []string{filesFollow}
	}
	for _, c := range commands() {
		q.add(c.name)
	}
	if q.word != "" {
		q.add("-chdir=", "-help", "-version")
	}
	return q.out
}

// of completes what stands behind a command.
func (q *completing) of(c *command) []string {
	f := newFlagSet(c.name)
	f.BoolVar(&c.common.noColor, "no-color", false, "")
	c.flags(f)
	args, open := q.arguments(f)
	dashes := q.word[:len(q.word)-len(strings.TrimLeft(q.word, "-"))]
	name, _, valued := strings.Cut(strings.TrimLeft(q.word, "-"), "=")
	switch {
	case open != nil:
		q.values(open, "")
	case dashes != "" && valued && f.Lookup(name) != nil:
		q.values(f.Lookup(name), dashes+name+"=")
	case dashes != "":
		f.VisitAll(func(fl *flag.Flag) { q.add(dashes + writtenFlag(fl)) })
		q.add(dashes + "help")
	default:
		q.argument(c, args)
	}
	return q.out
}

// arguments are the words before that are no flags, and the flag whose value the word is,
// nil for none.
func (q *completing) arguments(f *flag.FlagSet) (args []string, open *flag.Flag) {
	for _, w := range q.before {
		switch {
		case open != nil:
			open = nil
		case strings.HasPrefix(w, "-"):
			if fl := f.Lookup(strings.TrimLeft(w, "-")); fl != nil && !isBool(fl) {
				open = fl
			}
		default:
			args = append(args, w)
		}
	}
	return args, open
}

func isBool(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// writtenFlag is a flag as it is begun: with = before a value.
func writtenFlag(f *flag.Flag) string {
	switch {
	case !isBool(f):
		return f.Name + "="
	case f.DefValue == "true":
		return f.Name + "=false"
	}
	return f.Name
}

// values completes the value of a flag, by what the help has in its place.
func (q *completing) values(f *flag.Flag, prefix string) {
	placeholder, _ := flag.UnquoteUsage(f)
	switch {
	case isBool(f):
		q.add(prefix+"true", prefix+"false")
	case placeholder == "table.NAME":
		q.addresses(prefix)
	case placeholder == "TABLE" || f.Name == "table":
		for _, name := range q.tables() {
			q.add(prefix + name)
		}
	case placeholder == "FORMAT":
		q.add(prefix+"text", prefix+"json")
	case placeholder == "LEVEL":
		q.add(prefix+"error", prefix+"warn", prefix+"info", prefix+"debug")
	case slices.Contains([]string{"FILE", "PATH", "PLACE", "DIR"}, placeholder):
		q.out = append(q.out, filesFollow)
	}
}

func (q *completing) addresses(prefix string) {
	for _, name := range q.tables() {
		q.add(prefix + "table." + name)
	}
}

// argument completes an argument of a command, by its verbs and its usage.
func (q *completing) argument(c *command, args []string) {
	if len(args) == 0 {
		q.add(c.words...)
	}
	verbs := 0
	if len(c.words) > 0 {
		verbs = 1
	}
	if len(args) < verbs || len(args) >= c.maxArgs {
		return
	}
	ofTable := strings.Contains(c.usage, "table.NAME") || len(args) == 1 && args[0] == "show"
	if ofTable && len(args) == verbs {
		q.addresses("")
	}
	if ofTable && strings.HasPrefix(q.word, "table.") {
		return
	}
	if strings.Contains(c.usage, "FILE") || strings.Contains(c.usage, "DIR") || len(args) == 1 && slices.Contains([]string{"backup", "restore"}, args[0]) {
		q.out = append(q.out, filesFollow)
	}
}

// tablesWithin bounds how long a shell waits for the names of tables.
const tablesWithin = 2 * time.Second

// tableNames lists the tables that the configuration names and that a state on this machine
// has. Whatever is wrong there, a command says.
func (s *session) tableNames(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, tablesWithin)
	defer cancel()
	cfg, _, diags := config.Load(".", config.Options{Env: s.getenv, Version: programVersion(), AllowMissingVars: true})
	if diags.HasErrors() || cfg == nil {
		return nil
	}
	names := map[string]bool{}
	for _, name := range cfg.ExactTables() {
		names[name] = true
	}
	if cfg.StateS3 == nil && cfg.Source.S3 == nil {
		if e, err := engine.New(ctx, cfg, engine.Options{Program: programVersion()}); err == nil {
			if figures, err := e.Inspect().Figures(ctx); err == nil {
				for _, t := range figures.Tables {
					names[t.Name] = true
				}
			}
		}
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return plain.Text(name) != name }) // nobody types these
	return slices.Sorted(maps.Keys(names))
}
