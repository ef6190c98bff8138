package main

import (
	"context"
	"flag"
	"strings"
)

func showCommand() *command {
	var o configFlags
	c := &command{
		name:    "show",
		usage:   "[table.NAME | FILE] [flags]",
		maxArgs: 1,
		summary: "Show what is applied: tables, dumps, mapping, files, rows, held",
		help: `Reads the state only, neither the source nor a sink, and can run beside an apply.
With a table, all that the state has of it. What is pending, ` + "`reconcile plan`" + ` says.
With a file that ` + "`reconcile plan -out=FILE`" + ` wrote, the plan in it, and neither state
nor configuration are read.`,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		switch {
		case len(args) == 1 && strings.HasPrefix(args[0], "table."):
			return exitDone, s.showTable(ctx, &o, args[0])
		case len(args) == 1:
			return exitDone, s.showSaved(args[0])
		}
		e, err := s.reader(ctx, &o)
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
