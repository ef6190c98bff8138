package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"reconcile/internal/near"
)

// program is what a run of the command line works with.
type program struct {
	stdin  *os.File
	out    *output
	err    io.Writer
	getenv func(string) (string, bool)
	now    func() time.Time
	hooks  hooks
	chdir  string // the folder that -chdir names
	// machine is the root folder of the machine, for what the kernel says of the process.
	machine fs.FS
}

// command is one verb. Its flags and run close over the options of one run.
type command struct {
	name    string
	usage   string   // what follows the name
	words   []string // the first arguments that it takes, if these are verbs
	summary string   // one line
	help    string   // further paragraphs
	common  commonFlags
	flags   func(*flag.FlagSet)
	maxArgs int
	run     func(ctx context.Context, s *session, args []string) (int, error)
}

// commonFlags are those of every command.
type commonFlags struct {
	json, noColor, compact bool
	log                    logFlags
}

// commands returns all verbs, in the order of the help.
func commands() []*command {
	return []*command{
		planCommand(), applyCommand(), showCommand(), statusCommand(), verifyCommand(), historyCommand(), schemaCommand(), stateCommand(), quarantineCommand(),
		initCommand(), lockCommand(), forceUnlockCommand(),
		validateCommand(), fmtCommand(), completionCommand(), versionCommand(),
	}
}

// errHelp says that help was asked for and given.
var errHelp = errors.New("help was given")

// run carries out a command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	name, rest, err := p.global(args)
	switch {
	case errors.Is(err, errHelp):
		return exitDone
	case err != nil:
		return p.reject(err)
	case name == "":
		p.overview(p.err)
		return exitError
	}
	for _, c := range commands() {
		if c.name == name {
			return p.runCommand(ctx, c, rest)
		}
	}
	return p.answer(name, rest)
}

// reject reports a command line that makes no sense.
func (p *program) reject(err error) int {
	say(p.err, "%s %v\n", styleFor(p.err, false, p.getenv).red("Error:"), err)
	return exitError
}

// global reads what stands before the verb.
func (p *program) global(args []string) (name string, rest []string, err error) {
	f := newFlagSet("reconcile")
	dir := f.String("chdir", "", "work as if started in the folder `DIR`")
	version := f.Bool("version", false, "same as the command version")
	short := f.Bool("v", false, "same as -version")
	if err := parseFlags(f, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			p.overview(p.out)
			return "", nil, errHelp
		}
		return "", nil, fmt.Errorf("%w; run `reconcile -help`", err)
	}
	if *dir != "" {
		if err := os.Chdir(*dir); err != nil {
			return "", nil, fmt.Errorf("-chdir: %w", err)
		}
		p.chdir = *dir
	}
	rest = f.Args()
	switch {
	case *version || *short:
		return "version", rest, nil
	case len(rest) == 0:
		return "", nil, nil
	case rest[0] == "help" && len(rest) > 1:
		return rest[1], []string{"-help"}, nil
	case rest[0] == "help":
		p.overview(p.out)
		return "", nil, errHelp
	}
	return rest[0], rest[1:], nil
}

// runCommand reads the flags of a verb, runs it and shows its error.
func (p *program) runCommand(ctx context.Context, c *command, args []string) int {
	f := newFlagSet(c.name)
	f.BoolVar(&c.common.noColor, "no-color", false, "print no colours")
	c.flags(f)
	rest, err := parseMixed(f, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.describe(p.out, f)
		return exitDone
	case err == nil && len(rest) > c.maxArgs:
		err = tooMany(rest[c.maxArgs:])
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; run `reconcile %s -help`", c.name, err, c.name)
		p.startLog(c.common.log, c.name)
		if f.Lookup("json") != nil && asksForJSON(args) {
			(&jsonView{out: p.out}).failure(err, exitError)
			return exitError
		}
		return p.reject(err)
	}
	log, began := p.startLog(c.common.log, c.name), time.Now()
	s := &session{program: p, view: p.withLog(p.newView(c.common), c.common, log), log: log}
	code, err := c.run(ctx, s, rest)
	if err != nil {
		code = codeOf(ctx, err)
		s.fail(err, code)
	}
	log.Info("command ended", "exit_code", code, "duration_seconds", sinceSeconds(began))
	return code
}

// tooMany refuses arguments for which a command has no use.
func tooMany(args []string) error {
	return fmt.Errorf("too many arguments: %s; a name with blanks needs quotes, as in '-target=table.Add To Cart'", strings.Trim(fmt.Sprintf("%q", args), "[]"))
}

// asksForJSON reports whether arguments that could not be read have -json.
func asksForJSON(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool {
		switch strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-") {
		case "json", "json=true":
			return a[0] == '-'
		}
		return false
	})
}

func (p *program) newView(c commonFlags) view {
	if c.json {
		return &jsonView{out: p.out}
	}
	return &textView{out: p.out, err: p.err, compact: c.compact, level: c.log.level, style: styleFor(p.out, c.noColor, p.getenv), errStyle: styleFor(p.err, c.noColor, p.getenv)}
}

// jsonFlag adds -json.
func (c *commonFlags) jsonFlag(f *flag.FlagSet) {
	f.BoolVar(&c.json, "json", false, "print one JSON object a line (docs/json-output.md)")
}

// compactFlag adds -compact-warnings.
func (c *commonFlags) compactFlag(f *flag.FlagSet) {
	f.BoolVar(&c.compact, "compact-warnings", false, "show warnings by their summaries alone, unless there are errors")
}

func newFlagSet(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	return f
}

// parseMixed reads flags that stand before, between and behind arguments.
func parseMixed(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := parseFlags(f, args); err != nil {
			return nil, err
		}
		left := f.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// parseFlags is f.Parse with a better word for flags that do not exist.
func parseFlags(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	given, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	var known []string
	f.VisitAll(func(fl *flag.Flag) { known = append(known, fl.Name) })
	hint := ""
	if text := flagHabits()[given]; text != "" {
		hint = " (" + text + ")"
	} else if n := near.Name(given, known); n != "" {
		hint = fmt.Sprintf(" (did you mean -%s?)", n)
	}
	return fmt.Errorf("there is no flag -%s%s", given, hint)
}
