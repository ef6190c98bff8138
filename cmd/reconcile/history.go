package main

import (
	"context"
	"errors"
	"flag"
	"strconv"

	"reconcile/engine/inspect"
)

// shownCommits is how many commits history shows unless it is told.
const shownCommits = 50

type historyOptions struct {
	configFlags
	last int
}

func historyCommand() *command {
	o := historyOptions{last: shownCommits}
	c := &command{
		name:    "history",
		usage:   "[table.NAME] [flags]",
		summary: "Show what commits did, and when",
		help: `Reads the state only, neither the source nor a sink, and can run beside an apply.
Of each table about the last 400 commits are kept. What earlier versions of the
program committed is not known.`,
		maxArgs: 1,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
		f.Func("last", "only the last `N` commits, 0 for all (default: 50)", func(arg string) (err error) {
			if o.last, err = strconv.Atoi(arg); err != nil || o.last < 0 {
				return errors.New("it needs a number from 0 on")
			}
			return nil
		})
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		table := ""
		if len(args) == 1 {
			table = tableName(args[0])
		}
		e, err := s.reader(ctx, &o.configFlags)
		if err != nil {
			return 0, err
		}
		h, err := e.Inspect().History(ctx, table)
		if err != nil {
			return 0, err
		}
		s.view.history(lastCommits(h, o.last))
		return exitDone, nil
	}
	return c
}

// lastCommits leaves the last commits of a history.
func lastCommits(h *inspect.History, n int) *inspect.History {
	if n == 0 || len(h.Commits) <= n {
		return h
	}
	return &inspect.History{Commits: h.Commits[len(h.Commits)-n:], Left: len(h.Commits) - n}
}

func schemaCommand() *command {
	var o configFlags
	c := &command{
		name:    "schema",
		usage:   "history [table.NAME] [flags]",
		words:   []string{"history"},
		summary: "Show which columns came, went and changed, since which dump",
		help: `Reads the state only, neither the source nor a sink, and can run beside an apply.
What earlier versions of the program did to columns is not known, but for the dump
that brought each column that is there.`,
		maxArgs: 2,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		if len(args) == 0 || args[0] != "history" {
			return 0, errors.New("write `reconcile schema history` or `reconcile schema history table.NAME`")
		}
		table := ""
		if len(args) == 2 {
			table = tableName(args[1])
		}
		e, err := s.reader(ctx, &o)
		if err != nil {
			return 0, err
		}
		list, err := e.Inspect().SchemaHistory(ctx, table)
		if err != nil {
			return 0, err
		}
		s.view.schemaHistory(list)
		return exitDone, nil
	}
	return c
}
