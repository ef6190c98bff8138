package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"reconcile/engine/health"
)

type statusOptions struct {
	configFlags
	maxAge time.Duration
}

func statusCommand() *command {
	var o statusOptions
	c := &command{
		name:    "status",
		usage:   "[flags]",
		summary: "Say whether the vendor delivers, and whether all of it is applied",
		help: `Reads the vendor's sync reports, the manifests and the state; neither part files nor
sinks. It takes no lock, writes nothing, and can run beside an apply. What is held
is what the last apply found, and what the manifests say since.

Without -max-age the last success says how old things may be: until 6 hours after
its next_sync_at. Where it does not say that, it is 30 hours.

Exit codes: 0; 1 on an error; 13 when there is a problem: the last success, a
manifest that some table has not applied, or a hold is older than that, a sync
succeeded an hour ago and no manifest came, or a table had no delivery for longer
than a check of freshness allows.`,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
		c.common.logFlags(f)
		f.DurationVar(&o.maxAge, "max-age", 0, "how old the last success and what waits may be, as `30h`")
	}
	c.run = func(ctx context.Context, s *session, _ []string) (int, error) {
		if o.maxAge < 0 {
			return 0, errors.New("-max-age needs a time above 0, as 30h")
		}
		return runStatus(ctx, s, &o)
	}
	return c
}

func runStatus(ctx context.Context, s *session, o *statusOptions) (int, error) {
	e, err := s.reader(ctx, &o.configFlags)
	if err != nil {
		return 0, err
	}
	h, err := e.Health().Read(ctx, health.Options{MaxAge: o.maxAge}, s.now())
	if err != nil {
		return 0, err
	}
	s.view.status(h)
	if len(h.Problems) > 0 {
		return exitGuarded, nil
	}
	return exitDone, nil
}
