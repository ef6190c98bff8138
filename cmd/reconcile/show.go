package main

import (
	"context"
	"flag"
)

func showCommand() *command {
	var o configFlags
	c := &command{
		name:    "show",
		usage:   "[flags]",
		summary: "Show what is applied: tables, dumps, mapping, files, rows, held",
		help: `Reads the state only, neither the source nor a sink, and can run beside an apply.
What is pending, ` + "`reconcile plan`" + ` says.`,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
	}
	c.run = func(ctx context.Context, s *session, _ []string) (int, error) {
		e, err := s.reader(ctx, &o)
		if err != nil {
			return 0, err
		}
		shown, err := e.Show(ctx)
		if err != nil {
			return 0, err
		}
		s.view.shown(shown)
		return exitDone, nil
	}
	return c
}
