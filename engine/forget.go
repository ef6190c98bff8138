package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/state"
)

// A table waits for all sinks that the state names for it, also for one that left
// the configuration, because its files are to be removed there. One that will
// never be back is let go: the state forgets it, and nobody looks at it again.

// sinksToForget lists the sinks that -forget-sink names: those that the state
// knows, with their tables, and those that it has forgotten already.
func (e *Engine) sinksToForget(snap *state.Snapshot) (now []plan.ForgottenSink, before []string, err error) {
	if len(e.opts.ForgetSinks) == 0 {
		return nil, nil, nil
	}
	known := lake.Tables(snap)
	for _, name := range e.opts.ForgetSinks {
		root := e.declared.RootOf(name)
		forgotten := snap.Forgotten[root]
		switch {
		case e.declared.Has(root):
			return nil, nil, fmt.Errorf("-forget-sink=%s: the configuration has this sink, as %s; take that out first", name, e.declared.Address(root))
		case slices.ContainsFunc(now, func(f plan.ForgottenSink) bool { return f.Root == root }):
		case known[root] != nil:
			now = append(now, plan.ForgottenSink{Root: root, Tables: known[root]})
		case forgotten:
			before = append(before, root)
		default:
			return nil, nil, fmt.Errorf("-forget-sink=%s: the state knows no sink at %s%s", name, root, e.departedSinks(root, known))
		}
	}
	return now, before, nil
}

// departedSinks says which sinks can be forgotten, the one first that is most
// like the one that was asked for.
func (e *Engine) departedSinks(like string, known map[string][]string) string {
	roots := slices.DeleteFunc(sortedKeys(known), e.declared.Has)
	if len(roots) == 0 {
		return ", and none that has left the configuration"
	}
	if near := config.Nearest(like, roots); near != "" {
		roots = append([]string{near}, slices.DeleteFunc(roots, func(r string) bool { return r == near })...)
	}
	return "; those that have left the configuration: " + strings.Join(roots, ", ")
}

// forgetSinks takes sinks out of the plan's view of the state, so that all else
// is planned as it will be without them.
func (e *Engine) forgetSinks(p *Plan) error {
	now, before, err := e.sinksToForget(p.snap)
	if err != nil {
		return err
	}
	for i := range now {
		takeSinkOut(p.snap, &now[i])
	}
	for _, root := range before {
		p.Notices = append(p.Notices, fmt.Sprintf("-forget-sink=%s has no effect: the state has forgotten this sink already", root))
	}
	p.Forgotten = now
	return nil
}

// takeSinkOut removes all that a view of the state has of a sink, and counts its files.
func takeSinkOut(snap *state.Snapshot, f *plan.ForgottenSink) {
	here := func(s state.Step) bool { return s.Sink == f.Root }
	for _, name := range f.Tables {
		if t := snap.Tables[name]; t != nil {
			f.Files += takeFiles(t, f.Root, snap.Partitions[name])
		}
		if lost := snap.Lost[name]; lost != nil {
			lost.Left = slices.DeleteFunc(lost.Left, here)
		}
	}
	for _, p := range snap.Publishes {
		p.Steps = slices.DeleteFunc(p.Steps, here)
	}
}

// takeFiles removes a sink and its files from a table, and counts them.
func takeFiles(t *state.Table, root string, parts []*state.Partition) int {
	gone := t.SinkAt(root)
	if gone < 0 {
		return 0
	}
	t.Sinks = slices.Delete(t.Sinks, gone, gone+1)
	n := 0
	for _, p := range parts {
		had := len(p.Files)
		p.Files = slices.DeleteFunc(p.Files, func(x state.File) bool { return x.Sink == gone })
		n += had - len(p.Files)
		for i := range p.Files {
			if p.Files[i].Sink > gone {
				p.Files[i].Sink--
			}
		}
	}
	return n
}

// letGo makes the state forget sinks, and know others at their new places, as the plan
// did, in one transaction, and finishes the commits that could not be finished because
// of them. It returns the tables that have to wait for the next plan.
func (e *Engine) letGo(ctx context.Context, l *state.Lock, p *Plan, res *Result) (waiting map[string]bool, err error) {
	if len(p.Forgotten)+len(p.Moved) == 0 {
		return nil, nil
	}
	err = l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, m := range p.Moved {
			errs = append(errs, tx.SetForgotten(m.From))
			for _, name := range m.Tables {
				errs = append(errs, p.putTable(tx, name))
			}
		}
		for _, f := range p.Forgotten {
			errs = append(errs, tx.SetForgotten(f.Root))
			for _, name := range f.Tables {
				errs = append(errs, p.putTable(tx, name))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	res.Forgotten, res.Moved = p.Forgotten, p.Moved
	if len(p.Recover) == 0 {
		return nil, nil
	}
	if res.Recovered, err = e.Recover(ctx, l); err != nil {
		return nil, err
	}
	return e.waitAfter(ctx, l, p, res)
}

// putTable stores all that the plan's view of the state has of a table.
func (p *Plan) putTable(tx *state.Tx, name string) error {
	var errs []error
	if t := p.snap.Tables[name]; t != nil {
		errs = append(errs, tx.PutTable(t))
	}
	for _, part := range p.snap.Partitions[name] {
		errs = append(errs, tx.PutPartition(name, part))
	}
	for _, pub := range p.snap.Publishes {
		if pub.Table == name {
			errs = append(errs, tx.PutPublish(pub))
		}
	}
	if lost := p.snap.Lost[name]; lost != nil {
		errs = append(errs, tx.SetLost(name, lost))
	}
	return errors.Join(errs...)
}

// waitAfter holds the tables that were planned before their last commit was
// finished, as far as there is more to do: the next apply plans that anew.
func (e *Engine) waitAfter(ctx context.Context, l *state.Lock, p *Plan, res *Result) (waiting map[string]bool, err error) {
	snap, err := l.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }()
	waiting = map[string]bool{}
	for _, t := range p.tables {
		if !slices.Contains(p.Recover, t.Name) || slices.ContainsFunc(p.Holds, func(h plan.Hold) bool { return h.Table == t.Name && h.Dump == 0 }) {
			continue
		}
		lost := snap.Lost[t.Name]
		hold := plan.Hold{Table: t.Name}
		switch {
		case e.unfinished.Why(t.Name) != nil:
			hold.Reason = e.unfinished.Why(t.Name).Error()
		case lost != nil:
			hold.Reason = lost.Why + "; the next apply writes the table anew"
		case snap.Tables[t.Name] == nil && (t.Action == plan.Destroy || t.Action == plan.Forget):
			waiting[t.Name] = true // that was the commit
			continue
		case t.Action == plan.None:
			continue
		default:
			hold.Reason = "its interrupted commit is finished now; what else is planned for it is for the next apply"
		}
		waiting[t.Name] = true
		res.Holds = append(res.Holds, hold)
	}
	return waiting, nil
}
