package main

import (
	"context"
	"errors"
	"flag"
	"strings"
)

type showOptions struct {
	configFlags
	markdown bool
	maxBytes int
	commit   string
	rescued  bool
}

func showCommand() *command {
	var o showOptions
	c := &command{
		name:    "show",
		usage:   "[table.NAME | FILE] [flags]",
		maxArgs: 1,
		summary: "Show what is applied: tables, dumps, mapping, files, rows, held",
		help: `Reads the state only, neither the source nor a sink, and can run beside an apply.
With a table, all that the state has of it. What is pending, ` + "`reconcile plan`" + ` says.
With a file that ` + "`reconcile plan -out=FILE`" + ` wrote, the plan in it, and neither state
nor configuration are read. With -markdown as a comment of a pull request.
With -rescued the values that did not cast and the rows without keys, by column: it
reads the data files for that.`,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
		f.BoolVar(&o.rescued, "rescued", false, "count values in _rescued_data and rows in the quarantine, by table and column")
		f.BoolVar(&o.markdown, "markdown", false, "show a saved plan as Markdown")
		f.IntVar(&o.maxBytes, "max-bytes", bytesOfComment, "with -markdown: in at most `N` bytes")
		f.StringVar(&o.commit, "commit", "", "with -markdown: say that the plan was made for the commit `SHA`")
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		ofTable := len(args) == 1 && strings.HasPrefix(addressOf(args[0]), "table.")
		if err := o.check(c.common.json, len(args) == 1 && !ofTable); err != nil {
			return 0, err
		}
		switch {
		case o.rescued && ofTable:
			return exitDone, s.showRescued(ctx, &o.configFlags, tableName(args[0]))
		case o.rescued:
			return exitDone, s.showRescued(ctx, &o.configFlags, "")
		case ofTable:
			return exitDone, s.showTable(ctx, &o.configFlags, args[0])
		case len(args) == 1:
			return exitDone, s.showSaved(&o, args[0])
		}
		e, err := s.reader(ctx, &o.configFlags)
		if err != nil {
			return 0, err
		}
		shown, err := e.Inspect().Show(ctx)
		if err != nil {
			return 0, err
		}
		s.view.shown(shown)
		return exitDone, nil
	}
	return c
}

// check refuses flags that do not go together.
func (o *showOptions) check(json, ofFile bool) error {
	switch {
	case o.markdown && !ofFile:
		return errors.New("-markdown shows a saved plan: give the file that `reconcile plan -out=FILE` wrote")
	case o.markdown && json:
		return errors.New("-markdown and -json are two forms: give one of them")
	case o.rescued && ofFile:
		return errors.New("-rescued is about the tables that are applied, not about a saved plan")
	case !o.markdown && o.commit != "":
		return errors.New("-commit is for -markdown")
	}
	return nil
}

// showTable shows one table.
func (s *session) showTable(ctx context.Context, o *configFlags, address string) error {
	e, err := s.reader(ctx, o)
	if err != nil {
		return err
	}
	shown, err := e.Inspect().ShowTable(ctx, tableName(address))
	if err != nil {
		return err
	}
	s.view.shownOne(shown)
	return nil
}
