package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/health"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/errclass"
	"reconcile/state"
)

type applyOptions struct {
	engineFlags
	autoApprove, input, lock bool
	waitForNew               time.Duration
	expect                   string // digest of what the configuration changes; empty for any
}

func applyCommand() *command {
	var o applyOptions
	c := &command{
		name:    "apply",
		usage:   "[FILE] [flags]",
		summary: "Show the plan, ask, and make it so",
		help: `First finishes what an interrupted apply had committed. Asks on a terminal; without
one it needs -auto-approve. Ctrl-C stops at a safe point, and the next apply goes
on from there.

With a FILE that ` + "`reconcile plan -out=FILE`" + ` wrote, it does what the plan says without
a question, of the dumps that it names, or refuses before anything is changed: what
the plan was given, as -accept and -target, is in the file. After a kill or exit
code 3 the same file goes on with the rest.

With -config-only it applies what the configuration changes, from the dumps that
the tables have; what is pending stays pending. -expect=DIGEST refuses to apply
where the configuration does not change what a reviewed plan said, which printed
the digest.

Exit codes: 0 done or nothing to do; 1 on an error, also when the answer is not
yes; 3 applied in part, because something is held or failed, safe to run again;
11 another process holds the lock of the state; 12 the saved plan is not of what is
there now, or the configuration does not change what -expect says; 13 as 3, and a
guard holds something, or nothing new came within -wait-for-new; 130 interrupted.`,
		maxArgs: 1,
	}
	c.flags = func(f *flag.FlagSet) {
		o.register(f)
		c.common.jsonFlag(f)
		c.common.logFlags(f)
		c.common.compactFlag(f)
		f.BoolVar(&o.autoApprove, "auto-approve", false, "do not ask")
		f.BoolVar(&o.input, "input", true, "never ask, fail instead")
		f.DurationVar(&o.lockTimeout, "lock-timeout", 0, "wait so long for another apply, as `2m`")
		f.DurationVar(&o.waitForNew, "wait-for-new", 0, "wait so long, without the lock, until something new is delivered, as `6h`")
		f.BoolVar(&o.configOnly, "config-only", false, "apply what the configuration changes, and leave what is pending")
		f.StringVar(&o.expect, "expect", "", "refuse unless the configuration changes what has this `DIGEST`")
		f.BoolVar(&o.lock, "lock", true, "refused: an apply always takes the lock")
	}
	c.run = func(ctx context.Context, s *session, args []string) (int, error) {
		return s.watched(ctx, func() (int, error) { return o.run(ctx, s, c.common.json, args) })
	}
	return c
}

// run applies what the configuration or a saved plan says.
func (o *applyOptions) run(ctx context.Context, s *session, json bool, args []string) (int, error) {
	if !o.lock {
		return 0, errors.New("-lock=false: an apply always takes the lock. Two applies at once would take each other's files for those of somebody else. To wait for the other one give -lock-timeout=2m; `reconcile lock show` says who has the lock")
	}
	if o.waitForNew < 0 {
		return 0, errors.New("-wait-for-new needs a time above 0, as 6h")
	}
	if err := o.checkConfigOnly(); err != nil {
		return 0, err
	}
	if len(args) == 1 {
		return runApplySaved(ctx, s, o, args[0])
	}
	if !o.autoApprove && (json || !o.input || !isTerminal(s.stdin)) {
		o.needsKeys = true
		if _, err := s.load(&o.configFlags); err != nil {
			return 0, err // it has to be mended first
		}
		return 0, errors.New("apply asks before it changes anything, and here there is nobody to ask: give -auto-approve to apply without a question")
	}
	return runApply(ctx, s, o)
}

// runApply takes the lock and finishes what an earlier apply committed before
// it plans: the plan is then of a state that only this process can change.
func runApply(ctx context.Context, s *session, o *applyOptions) (int, error) {
	return s.locked(ctx, o, func(ctx context.Context, at applied) (*planner.Session, error) {
		if err := s.checkExpected(ctx, at, o.expect); err != nil {
			return nil, err
		}
		p, err := at.engine.PlanLocked(ctx, at.lock)
		if err != nil {
			return nil, err
		}
		s.warn(p.Warnings())
		s.view.plan(&p.Plan)
		if err := at.engine.Refusal(&p.Plan); err != nil {
			return p, err
		}
		if p.Changes() && !o.autoApprove {
			return p, s.confirm(ctx, "Do you want to make these changes?", "apply")
		}
		return p, nil
	})
}

// applied is what an apply makes its plan with.
type applied struct {
	engine *engine.Engine
	config *config.Config
	lock   *state.Lock
}

// locked takes the lock, finishes what an earlier apply committed, makes a plan and
// carries it out.
func (s *session) locked(ctx context.Context, o *applyOptions, makePlan func(context.Context, applied) (*planner.Session, error)) (code int, err error) {
	o.needsKeys = true
	e, cfg, err := s.engine(ctx, &o.engineFlags)
	if err != nil {
		return 0, err
	}
	if o.waitForNew > 0 {
		if came, err := s.waitForNew(ctx, e, o.waitForNew); err != nil || !came {
			return exitGuarded, err
		}
	}
	asked := time.Now()
	lock, err := e.Lock(ctx, "apply")
	if err != nil {
		return 0, err
	}
	s.log.Debug("lock taken", "waited_seconds", sinceSeconds(asked))
	ctx = lock.Context(ctx)
	defer func() { err = s.unlock(ctx, lock, err) }()
	before, err := lock.Head(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { s.backUpAfter(ctx, e, lock, before) }()
	defer func() { s.watch.readAfter(ctx) }()
	done := o.collectLate()
	tables, err := e.Recover(ctx, lock)
	s.recovered(tables)
	if err != nil {
		return 0, err
	}
	p, err := makePlan(ctx, applied{e, cfg, lock})
	if p != nil {
		defer func() { err = errors.Join(err, p.Close()) }()
		s.watch.planned(p)
	}
	if err != nil {
		return 0, err
	}
	s.limitMemory(cfg, p.Mapping.Entries)
	if p.Changes() {
		done()
		defer debug.SetGCPercent(debug.SetGCPercent(applyGC))
	}
	return s.carryOut(ctx, e, lock, p)
}

// waitingLine says that an apply waits for something new.
type waitingLine struct {
	Limit int64 `json:"limit_seconds"`
}

// waitedLine says what the wait came to.
type waitedLine struct {
	New        bool     `json:"new"`
	Tables     []string `json:"tables,omitempty"`
	Newest     *int64   `json:"newest_dump,omitempty"`
	Unfinished []string `json:"unfinished,omitempty"`
}

// waitForNew waits until something was delivered that no apply has seen, or an
// interrupted one left something to finish.
func (s *session) waitForNew(ctx context.Context, e *engine.Engine, limit time.Duration) (came bool, err error) {
	s.view.record("waiting", waitingLine{int64(limit / time.Second)}, "Waiting for something new, %s at most.\n", span(limit))
	if err := s.out.flush(); err != nil {
		return false, fmt.Errorf("the output could not be written: %w", err)
	}
	news, err := e.Health().Wait(ctx, health.Wait{Limit: limit, Now: time.Now, Sleep: health.Sleep})
	switch {
	case err != nil:
		return false, err
	case news == nil:
		s.view.record("waited", waitedLine{}, "Nothing new came within %s: nothing was applied.\n", span(limit))
		return false, nil
	case len(news.Unfinished) > 0:
		s.view.record("waited", waitedLine{New: true, Unfinished: news.Unfinished}, "An interrupted apply left something to finish: %s.\n", tableList(news.Unfinished))
		return true, nil
	}
	s.view.record("waited", waitedLine{New: true, Tables: news.Tables, Newest: &news.Newest}, "Dump %d brings something new: %s.\n", news.Newest, tableList(news.Tables))
	return true, nil
}

// unlock gives the lock back, and says what went wrong without harm. What failed
// because the lock was lost, failed for that.
func (s *session) unlock(ctx context.Context, lock *state.Lock, err error) error {
	lost := context.Cause(ctx)
	if err != nil || errclass.Of(lost) == errclass.LeaseLost {
		if known := lock.Lost(); known != nil {
			lost = known
		}
	}
	uerr := lock.Unlock()
	s.warnings(lock.Warnings())
	if errclass.Of(lost) == errclass.LeaseLost && !errors.Is(err, state.ErrUnknownOutcome) && errclass.Of(err) != errclass.LeaseLost {
		return errors.Join(lost, uerr)
	}
	return errors.Join(err, uerr)
}

// backUpAfter backs the state up to where the configuration says, if something was
// committed since before. That it cannot is a warning.
func (s *session) backUpAfter(ctx context.Context, e *engine.Engine, lock *state.Lock, before state.Head) {
	now, err := lock.Head(ctx)
	if err != nil || now.Serial == before.Serial || ctx.Err() != nil {
		return
	}
	res, err := e.States().BackupConfigured(ctx)
	switch {
	case err != nil:
		s.warnings([]string{fmt.Sprintf("the tables are as they should be, but the backup was not made, and the next apply that changes something tries again: %v", err)})
	case res != nil:
		s.backedUp(res)
	}
}

// recovered says which tables' commits were finished.
func (s *session) recovered(tables []string) {
	if len(tables) > 0 {
		s.view.record("recovered", map[string]any{"tables": tables},
			"Finished what an interrupted apply had committed: %s.\n", strings.Join(tables, ", "))
	}
}

// carryOut applies a plan and shows what came of it.
func (s *session) carryOut(ctx context.Context, e *engine.Engine, lock *state.Lock, p *planner.Session) (int, error) {
	pr := s.view.progress(bytesToRead(&p.Plan))
	s.meter = pr.tell
	res, err := e.Apply(ctx, lock, p)
	pr.stop()
	s.watch.result = res
	if res != nil {
		s.recovered(res.Recovered)
		s.view.result(res, err)
	}
	if err != nil {
		return 0, err
	}
	return heldCode(res.Holds, res.Partial()), nil
}

func bytesToRead(p *plan.Plan) int64 {
	n := int64(0)
	for _, t := range p.Tables {
		if t.Action == plan.None {
			continue
		}
		for _, d := range t.Dumps {
			n += d.Bytes
		}
	}
	return n
}

// confirm asks a question of a command, which wants the word yes.
func (s *session) confirm(ctx context.Context, question, command string) error {
	say(s.out, "\n%s\n  Only 'yes' will be accepted.\n\n  Enter a value: ", question)
	if err := s.out.flush(); err != nil {
		return fmt.Errorf("the question could not be asked: %w", err)
	}
	answer := make(chan string, 1)
	go func() { // ends with the process at the latest: nothing stops a read of a terminal
		line, _ := bufio.NewReader(s.stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-answer:
		if strings.TrimSpace(line) != "yes" {
			return fmt.Errorf("%s cancelled: the answer was not 'yes'; nothing was changed", command)
		}
		fmt.Fprintln(s.out)
		return nil
	}
}
