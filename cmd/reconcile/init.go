package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"reconcile/engine"
	"reconcile/internal/amount"
)

type initOptions struct {
	configFlags
	migrate     bool
	from        string
	lockTimeout time.Duration
	source      fromSource
}

func initCommand() *command {
	var o initOptions
	c := &command{
		name:    "init",
		usage:   "[flags]",
		summary: "Write a first configuration, or try or move the place of the state",
		help: `Nothing has to be set up before the first plan. init reads the state, and tries
whether its store keeps what an apply needs; it leaves nothing behind.

With -migrate-state it moves the state to where the configuration says, from where the
sinks say that it is: it copies all, proves the copy, closes the old state, which tells
from then on where it went, and opens the new one. If it is stopped, run it again.

With -from-source it writes a configuration into a folder that has none, or nothing but
a source block: the tables that the manifests deliver, and types of columns, guessed
from the first rows of the newest files. It replaces no file.`,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
		f.BoolVar(&o.migrate, "migrate-state", false, "move the state to where the configuration says")
		f.StringVar(&o.from, "from", "", "with -migrate-state: move the state from `PLACE`, a path or s3://bucket/prefix")
		f.DurationVar(&o.lockTimeout, "lock-timeout", 0, "with -migrate-state: wait so long for another apply, as `2m`")
		o.source.register(f)
		f.Bool("input", true, "changes nothing: init never asks")
		f.Bool("reconfigure", false, "changes nothing: init remembers no configuration")
		f.Bool("upgrade", false, "changes nothing: there is nothing to download")
	}
	c.run = func(ctx context.Context, s *session, _ []string) (int, error) {
		if !o.migrate && (o.from != "" || o.lockTimeout != 0) {
			return 0, errors.New("-from and -lock-timeout are for `reconcile init -migrate-state`")
		}
		switch {
		case o.source.asked && o.migrate:
			return 0, errors.New("-from-source and -migrate-state do not go together")
		case o.source.asked:
			return exitDone, s.writeFromSource(ctx, &o.configFlags, &o.source)
		case len(o.source.attributes) > 0:
			return 0, errors.New("how a bucket is reached is given with `reconcile init -from-source=s3://bucket/prefix`; else the configuration says it")
		}
		e, _, err := s.engine(ctx, &engineFlags{configFlags: o.configFlags, refresh: true, lockTimeout: o.lockTimeout})
		if err != nil {
			return 0, err
		}
		if o.migrate {
			return exitDone, s.migrateState(ctx, e, o.from)
		}
		return exitDone, s.tryState(ctx, e)
	}
	return c
}

// tryState says what init finds.
func (s *session) tryState(ctx context.Context, e *engine.Engine) error {
	in, err := e.States().Init(ctx)
	if err != nil {
		return err
	}
	line := initLine{in.State, in.Lineage, in.Serial, in.Tried, in.NotTried}
	tried := "Its store keeps the conditions on writes that an apply needs"
	switch {
	case in.Local:
		tried = "Nothing is to be done for a state in a file"
	case !in.Tried:
		tried = "Not tried whether it can be written: " + in.NotTried
	}
	if in.Lineage == "" {
		s.view.record("init", line, "There is no state at %s yet: the first apply makes it.\n%s.\n", in.State, tried)
		return nil
	}
	s.view.record("init", line, "The state is %s, of lineage %s, at serial %d.\n%s.\n", in.State, in.Lineage, in.Serial, tried)
	return nil
}

// migrateState says what the move of the state did.
func (s *session) migrateState(ctx context.Context, e *engine.Engine, from string) error {
	m, err := e.States().MigrateState(ctx, from)
	if err != nil {
		return err
	}
	line := stateMovedLine(*m)
	if m.From == "" {
		s.view.record("state_moved", line, "There is nothing to move: the state is %s, or was never made.\n", m.To)
		return nil
	}
	s.view.record("state_moved", line, "The state of lineage %s was moved from %s to %s: %s, %s. It goes on at serial %d, and the old one is closed.\n",
		m.Lineage, m.From, m.To, amount.Of(m.Objects, "object"), size(m.Bytes), m.Serial)
	for _, sink := range m.Unrecorded {
		text := sink + " is out of reach, and is told by the next apply where the state is"
		s.view.record("warning", map[string]any{"message": text}, "Warning: %s\n", text)
	}
	return nil
}
