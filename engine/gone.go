package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/plan"
	"reconcile/state"
)

// A sink in which the state lists files, and where neither current.json nor any of these
// is, is not there: a disk that is not mounted, another bucket. To take that for drift
// would fill the wrong place.

// goneError says that a sink is not there. Its tables are held, and the hold of the sink
// says why.
type goneError struct{ root string }

func (g *goneError) Error() string { return "the sink at " + g.root + " is not there" }

// gone reports whether an error is that a sink is not there.
func gone(err error) bool {
	var g *goneError
	return errors.As(err, &g)
}

// saidLost reports whether -sink-lost names a declared sink.
func (e *Engine) saidLost(root string) bool {
	return e.declared(root) && slices.ContainsFunc(e.opts.SinksLost, func(name string) bool { return e.rootOf(name) == root })
}

// findGone notes which of the sinks that the state has are not there, and holds their
// tables; those that are said to be lost are written anew.
func (e *Engine) findGone(ctx context.Context, p *Plan) error {
	if p.blind && !p.locked {
		return nil
	}
	known := sinkTables(p.snap)
	for _, root := range sortedKeys(known) {
		if e.down[root] != nil {
			continue
		}
		is := false
		err := e.readDeparted(ctx, p, root)
		if err == nil && p.says[root] == (sinkSays{}) {
			is, err = e.isGone(ctx, p.snap, root)
		}
		if err != nil {
			if e.stopsTable(ctx, err) {
				continue
			}
			return err
		}
		if is && !e.saidLost(root) {
			e.gone[root] = &goneError{root}
			p.Holds = append(p.Holds, plan.Hold{Sink: root, Reason: e.goneText(root, known[root])})
		}
	}
	return nil
}

func (e *Engine) goneText(root string, tables []string) string {
	text := fmt.Sprintf("the sink is not there: the state %s lists files in it, and neither _reconcile/current.json nor any of these files exists; its tables stay as they are (%s); mount it, or correct its path; if it was moved, -moved-sink=%s=NEW; if it is lost for good, ",
		e.store.Place(), strings.Join(tables, ", "), root)
	if e.declared(root) {
		return text + fmt.Sprintf("-sink-lost=%s writes it anew, from other sinks or from the source", root)
	}
	return text + fmt.Sprintf("-forget-sink=%s lets it go, as the configuration no longer has it", root)
}

// isGone reports whether nothing is in a sink of what the state lists there.
func (e *Engine) isGone(ctx context.Context, snap *state.Snapshot, root string) (bool, error) {
	says, err := e.readSays(ctx, root)
	if err != nil || says.current != nil || says.damage != nil {
		return false, err
	}
	listed, staged := filesListed(snap, root)
	if len(listed)+len(staged) == 0 {
		return false, nil
	}
	for _, path := range staged {
		if there, err := e.sinks[root].Exists(ctx, path); there || err != nil {
			return false, err
		}
	}
	var folders []string
	for path := range listed {
		folder, _, _ := strings.Cut(path, "/")
		folders = append(folders, folder)
	}
	for _, folder := range unique(folders) {
		files, err := e.sinks[root].List(ctx, folder)
		if err != nil {
			return false, err
		}
		for _, o := range files {
			if listed[o.Path] {
				return false, nil
			}
		}
	}
	return true, nil
}

// filesListed are the data files that the state has in a sink, with those that open
// publish lists replace or remove, and what is staged for these.
func filesListed(snap *state.Snapshot, root string) (listed map[string]bool, staged []string) {
	listed = map[string]bool{}
	for name, t := range snap.Tables {
		at := t.SinkAt(root)
		for _, p := range snap.Partitions[name] {
			for _, f := range p.Files {
				if f.Sink == at {
					listed[f.Path] = true
				}
			}
		}
	}
	for _, p := range snap.Publishes {
		for _, s := range p.Steps {
			if s.Sink != root {
				continue
			}
			listed[s.Path] = true
			if s.Staged != "" {
				staged = append(staged, s.Staged)
			}
		}
	}
	return listed, staged
}

// isLost reports whether a table is lost in a sink that is said to be lost: the sink
// does not speak of it, and has none of its files.
func (e *Engine) isLost(p *Plan, t *TablePlan, root string, sink int) bool {
	if _, named := p.currentOf(root, t.Name); named || p.says[root].damage != nil || !e.saidLost(root) || !t.allGone(sink) {
		return false
	}
	e.lost[root] = true
	t.lostIn = append(t.lostIn, root)
	return true
}

// withoutLost takes the sinks that are not there and said to be lost out of a publish
// list that is to be finished. It fails if another one is not there.
func (e *Engine) withoutLost(ctx context.Context, snap *state.Snapshot, p *state.Publish, roots []string) (*state.Publish, []string, error) {
	out := *p
	for _, root := range slices.Clone(roots) {
		is, err := e.isGone(ctx, snap, root)
		if err != nil {
			return nil, nil, err
		}
		if is && !e.saidLost(root) {
			return nil, nil, &goneError{root}
		}
		if is {
			e.lost[root] = true
			at := func(s state.Step) bool { return s.Sink == root }
			roots = slices.DeleteFunc(slices.Clone(roots), func(r string) bool { return r == root })
			out.Steps = slices.DeleteFunc(slices.Clone(out.Steps), at)
		}
	}
	return &out, roots, nil
}
