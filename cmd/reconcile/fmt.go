package main

import (
	"context"
	"flag"

	"reconcile/config"
	"reconcile/internal/plain"
)

type fmtOptions struct {
	check, diff, write bool
}

func fmtCommand() *command {
	var o fmtOptions
	c := &command{
		name:    "fmt",
		usage:   "[flags] [DIR]",
		summary: "Give the *.hcl and *.hclvars files of the folder their canonical layout",
		help: `Prints the names of the files whose layout differs, and rewrites them.

Exit codes: 0; 1 on an error, and with -check when a layout differs.`,
		maxArgs: 1,
	}
	c.flags = func(f *flag.FlagSet) {
		f.BoolVar(&o.check, "check", false, "write nothing, and exit with 1 when a layout differs")
		f.BoolVar(&o.diff, "diff", false, "print the differences")
		f.BoolVar(&o.write, "write", true, "write nothing")
	}
	c.run = func(_ context.Context, s *session, args []string) (int, error) {
		dir := "."
		if len(args) > 0 {
			dir = args[0]
		}
		return runFmt(s, dir, &o)
	}
	return c
}

func runFmt(s *session, dir string, o *fmtOptions) (int, error) {
	files, sources, diags := config.FormatDir(dir, o.write && !o.check)
	s.sources = sources
	for _, f := range files {
		say(s.out, "%s\n", f.Path)
		if o.diff {
			say(s.out, "%s", plain.Trusted(f.Diff)) // several lines, of files of the user's own
		}
	}
	if diags.HasErrors() {
		return 0, &configError{diags}
	}
	s.warn(diags)
	if o.check && len(files) > 0 {
		return exitError, nil
	}
	return exitDone, nil
}
