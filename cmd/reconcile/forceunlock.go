package main

import (
	"context"
	"errors"
	"flag"
	"time"

	"reconcile/state"
)

func forceUnlockCommand() *command {
	var o configFlags
	var force bool
	c := &command{
		name:    "force-unlock",
		usage:   "[flags] ID",
		summary: "End the renewals of a lock whose holder hangs or is gone",
		help: `For a state on S3. ID is the one that ` + "`reconcile lock show`" + ` prints. Asks on a terminal;
without one it needs -force. The holder can renew the lock no more, and is stopped
when it tries to, at most 20 seconds later. Others get it when its time since the
last renewal is over, as the holder may not know yet; no force makes that shorter.`,
		maxArgs: 1,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		f.BoolVar(&force, "force", false, "do not ask")
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		if len(args) != 1 {
			return 0, errors.New("write `reconcile force-unlock ID`; `reconcile lock show` prints the ID")
		}
		return exitDone, runForceUnlock(ctx, s, &o, args[0], force)
	}
	return c
}

func runForceUnlock(ctx context.Context, s *session, o *configFlags, id string, force bool) error {
	e, err := s.reader(ctx, o)
	if err != nil {
		return err
	}
	st, err := e.States().LockStatus(ctx)
	if err != nil {
		return err
	}
	if !st.Lease || st.State == state.LockFree || st.ID != id {
		return e.States().ForceUnlock(ctx, id) // which says why not
	}
	if !force {
		if !isTerminal(s.stdin) {
			return errors.New("force-unlock asks before it ends the renewals of a lock, and here there is nobody to ask: give -force to do it without a question")
		}
		s.showLock(st)
		if err := s.confirm(ctx, "Do you want to take the lock from its holder?", "force-unlock"); err != nil {
			return err
		}
	}
	if err := e.States().ForceUnlock(ctx, id); err != nil {
		return err
	}
	if st, err = e.States().LockStatus(ctx); err != nil {
		return err
	}
	say(s.out, "The lock of state %s is not renewed any more. It is free %s after its last renewal: in %s.\n",
		st.Place, (st.TTL + st.Margin).String(), (time.Duration(seconds(st.FreeIn())) * time.Second).String())
	return nil
}
