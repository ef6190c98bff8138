package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/near"
	"reconcile/state"
)

// A table waits for all sinks that the state names for it, also for one that left
// the configuration, because its files are to be removed there. With -forget-sink the
// state forgets one that will never be back.

// SinksToForget lists the sinks that -forget-sink names: those that the state
// knows, with their tables, and those that it has forgotten already.
func SinksToForget(p *Session, snap *state.Snapshot) (now []plan.ForgottenSink, before []string, err error) {
	if len(p.Ask.ForgetSinks) == 0 {
		return nil, nil, nil
	}
	known := lake.Tables(snap)
	for _, name := range p.Ask.ForgetSinks {
		root := p.Declared.RootOf(name)
		forgotten := snap.Forgotten[root]
		switch {
		case p.Declared.Has(root):
			return nil, nil, fmt.Errorf("-forget-sink=%s: the configuration has this sink, as %s; take that out first", name, p.Declared.Address(root))
		case slices.ContainsFunc(now, func(f plan.ForgottenSink) bool { return f.Root == root }):
		case known[root] != nil:
			now = append(now, plan.ForgottenSink{Root: root, Tables: known[root]})
		case forgotten:
			before = append(before, root)
		default:
			return nil, nil, fmt.Errorf("-forget-sink=%s: the state knows no sink at %s%s", name, root, detachedSinks(p, root, known))
		}
	}
	return now, before, nil
}

// detachedSinks says which sinks can be forgotten, the one first that is most
// like the one that was asked for.
func detachedSinks(p *Session, like string, known map[string][]string) string {
	roots := slices.DeleteFunc(slices.Sorted(maps.Keys(known)), p.Declared.Has)
	if len(roots) == 0 {
		return ", and none that has left the configuration"
	}
	if nearest := near.Name(like, roots); nearest != "" {
		roots = append([]string{nearest}, slices.DeleteFunc(roots, func(r string) bool { return r == nearest })...)
	}
	return "; those that have left the configuration: " + strings.Join(roots, ", ")
}

// forgetSinks takes sinks out of the plan's view of the state, so that all else
// is planned as it will be without them.
func forgetSinks(p *Session) error {
	now, before, err := SinksToForget(p, p.Snap)
	if err != nil {
		return err
	}
	for i := range now {
		p.Snap = p.Snap.Fork(now[i].Tables)
		takeSinkOut(p.Snap, &now[i])
	}
	for _, root := range before {
		p.Notices = append(p.Notices, fmt.Sprintf("-forget-sink=%s has no effect: the state has forgotten this sink already", root))
	}
	p.Forgotten = now
	return nil
}

// takeSinkOut removes all that a view of the state has of a sink, and counts its files.
// The view has its own records of the tables there.
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
