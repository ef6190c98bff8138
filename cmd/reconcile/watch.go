package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/inspect"
	"reconcile/engine/planner"
	"reconcile/engine/report"
	"reconcile/internal/notify"
	"reconcile/internal/promtext"
)

// watch is what an apply remembers of itself for those who watch it: the notify blocks and
// the metrics block of the configuration.
type watch struct {
	cfg     *config.Config // nil until it was read
	engine  *engine.Engine // nil until there is one
	hasPlan bool
	before  []inspect.Hold // that the state had as the plan was made
	result  *engine.Result // nil where nothing was carried out
	after   *inspect.Figures
}

// wanted reports whether anybody watches.
func (w *watch) wanted() bool {
	return w.cfg != nil && (w.cfg.Metrics != nil || len(w.cfg.Notify) > 0)
}

// planned remembers what was held before the plan is carried out.
func (w *watch) planned(p *planner.Session) {
	if w.wanted() {
		w.hasPlan, w.before = true, inspect.Holds(p.Snap)
	}
}

// readWithin bounds the reading of the state for those who watch.
const readWithin = time.Minute

// readAfter reads what the state says after the apply, once.
func (w *watch) readAfter(ctx context.Context) {
	if !w.wanted() || w.engine == nil || w.after != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWithin)
	defer cancel()
	if after, err := w.engine.Inspect().Figures(ctx); err == nil {
		w.after = after
	}
}

// watched runs an apply, and tells those who watch it what it came to. What goes wrong with
// that is a warning: the apply ends as it would without them.
func (s *session) watched(ctx context.Context, apply func() (int, error)) (int, error) {
	s.watch = &watch{}
	began := s.now()
	code, err := apply()
	if !s.watch.wanted() {
		return code, err
	}
	run := &report.Run{Program: programVersion(), Folder: s.watch.cfg.Dir, Began: began, Ended: s.now(), Code: code}
	if err != nil {
		run.Code = codeOf(ctx, err)
		for _, e := range separate(err) {
			run.Errors = append(run.Errors, e.Error())
		}
	}
	s.watch.readAfter(ctx)
	run.Planned, run.Before, run.Result, run.After = s.watch.hasPlan, s.watch.before, s.watch.result, s.watch.after
	run.Errors = append(run.Errors, tableErrors(run.Result)...)
	s.leaveMetrics(run)
	s.notify(context.WithoutCancel(ctx), run)
	return code, err
}

func tableErrors(r *engine.Result) (out []string) {
	if r == nil {
		return nil
	}
	for _, t := range r.Tables {
		if t.Err != nil {
			out = append(out, t.Err.Error())
		}
	}
	return out
}

// leaveMetrics writes the file of figures.
func (s *session) leaveMetrics(run *report.Run) {
	m := s.watch.cfg.Metrics
	if m == nil {
		return
	}
	earlier, err := promtext.Read(m.Textfile)
	if err == nil {
		err = promtext.Write(m.Textfile, run.Metrics(earlier, m.Labels))
	}
	if dir := filepath.Dir(m.Textfile); errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no folder %s", dir)
	}
	if err != nil {
		s.warnings([]string{fmt.Sprintf("the figures were not left in %s: %v", m.Textfile, err)})
	}
}

// notify tells all who want to know, at once: the slowest says how long that takes.
func (s *session) notify(ctx context.Context, run *report.Run) {
	message := run.Message()
	failed := make([]string, len(s.watch.cfg.Notify))
	var all sync.WaitGroup
	for i, n := range s.watch.cfg.Notify {
		m, wants := message.For(n.Label, n.On)
		if !wants {
			continue
		}
		target := s.target(&n)
		all.Go(func() {
			if err := target.Send(ctx, &m); err != nil {
				failed[i] = fmt.Sprintf("%v; the apply is not affected", err)
			}
		})
	}
	all.Wait()
	s.warnings(slices.DeleteFunc(failed, func(text string) bool { return text == "" }))
}

func (s *session) target(n *config.Notify) *notify.Target {
	t := &notify.Target{Label: n.Label, Command: n.Command, Dir: s.watch.cfg.Dir, Hidden: config.EnvPrefix, Webhook: string(n.Webhook), Headers: map[string]string{}, Timeout: n.Timeout}
	for name, value := range n.Headers {
		t.Headers[name] = string(value)
	}
	return t
}
