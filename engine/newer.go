package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/state"
)

// Before the files of a sink are compared with the state it is judged which of the two
// is newer: a state from a backup would take what newer applies wrote for drift, and
// rebuild tables from a source that may no longer have all of it.

// doubt is a sink whose current.json does not say of a table what the state does, and
// whose files decide.
type doubt struct {
	root string
	sink int    // as in old.Sinks
	why  string // that the table is held if files differ; empty: they are drift
}

// judgeNewer judges for each sink of a table whether the state or the sink is newer.
// An older state is a distrustError; doubts are for the files to settle.
func (e *Engine) judgeNewer(ctx context.Context, p *Plan, t *TablePlan) ([]doubt, error) {
	if p.blind && !p.locked {
		return nil, nil
	}
	var doubts []doubt
	for _, root := range rootsOf(t) {
		if err := e.readDeparted(ctx, p, root); err != nil {
			return nil, err
		}
		if why := e.stateOlder(p, t, root); why != "" {
			return nil, e.foundNewer(ctx, p.lock, why)
		}
		if d := t.doubtIn(p, root); d != nil {
			doubts = append(doubts, *d)
		}
	}
	return doubts, nil
}

// rootsOf lists the sinks where a table is and is to be.
func rootsOf(t *TablePlan) []string {
	var out []string
	for _, at := range foldersOf(t) {
		if !slices.Contains(out, at.root) {
			out = append(out, at.root)
		}
	}
	return out
}

// stateOlder says why a sink is newer than the state; empty if it is not.
func (e *Engine) stateOlder(p *Plan, t *TablePlan, root string) string {
	cur, ok := p.currentOf(root, t.Name)
	have := p.commitOf(t.Name)
	if !ok || cur.Commit < have {
		return ""
	}
	if cur.Commit > have {
		return e.olderText(root, cur.Commit, have)
	}
	known, ok := currentTable(root, &state.Publish{Commit: have}, t.old, true)
	if !ok || sameContent(known, cur) {
		return ""
	}
	return e.otherText(root, have)
}

// otherText says that a sink has a commit of a table that is not the state's.
func (e *Engine) otherText(root string, commit uint64) string {
	return fmt.Sprintf("the state %s is not the one that wrote the sink at %s: both have the table at commit %d, but with other dumps or another user mapping; bring back the state that wrote it, or go on from this one",
		e.store.Place(), root, commit)
}

// olderText says that a sink has a greater commit of a table than the state.
func (e *Engine) olderText(root string, there, have uint64) string {
	return fmt.Sprintf("the state %s is older than the sink at %s: the table is there at commit %d, and the state has it at commit %d; bring back the newer state, or go on from this one",
		e.store.Place(), root, there, have)
}

func sameDump(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// doubtIn is what the files of a sink have to settle, nil if its current.json says what
// the state does. While a commit is being made visible it need not.
func (t *TablePlan) doubtIn(p *Plan, root string) *doubt {
	if t.old == nil || p.publishing(t.Name) {
		return nil
	}
	i := t.old.SinkAt(root)
	if i < 0 {
		return nil
	}
	cur, ok := p.currentOf(root, t.Name)
	if ok && cur.Commit == t.old.Commit && cur.Complete && cur.Folder == t.old.Sinks[i].Folder {
		return nil
	}
	d := &doubt{root: root, sink: i}
	switch says := p.says[root]; {
	case ok: // a smaller commit: the files decide, as drift
	case says.damage != nil:
		d.why = says.damage.Error()
	case says.current != nil:
		d.why = fmt.Sprintf("_reconcile/current.json in %s does not name the table", root)
	default:
		d.why = fmt.Sprintf("_reconcile/current.json in %s is missing", root)
	}
	return d
}

// publishing reports whether a commit of a table is still being made visible, or was
// given up for lost.
func (p *Plan) publishing(table string) bool {
	return p.snap.Lost[table] != nil || slices.Contains(p.Recover, table)
}

// planStanding compares what the state says of a table with what its sinks say and
// hold.
func (e *Engine) planStanding(ctx context.Context, p *Plan, t *TablePlan) error {
	doubts, err := e.judgeNewer(ctx, p, t)
	if err != nil {
		return err
	}
	err = e.planDrift(ctx, p, t, len(doubts) > 0 || p.locked && len(p.Moved) > 0)
	var foreign *foreignError
	if err != nil && !errors.As(err, &foreign) {
		return err
	}
	for _, d := range doubts {
		differs := foreign.in(d.root) || slices.Contains(t.partial, d.sink)
		switch {
		case !differs:
			p.restate(d.root, t)
		case d.why == "" || !foreign.in(d.root) && e.isLost(p, t, d.root, d.sink):
		case t.allGone(d.sink) && e.declared(d.root):
			return &distrustError{why: fmt.Sprintf("%s, and none of its files is there (if the sink is lost, -sink-lost=%s writes it anew)", d.why, d.root)}
		default:
			return &distrustError{why: d.why + ", and its files are not those that the state knows"}
		}
	}
	if err != nil || len(t.Drift) == 0 || p.publishing(t.Name) {
		return err
	}
	why, err := e.writtenLater(ctx, t)
	if why != "" {
		return &distrustError{why: why}
	}
	return err
}

// allGone reports whether a sink has none of the files of the table that the state
// lists there.
func (t *TablePlan) allGone(sink int) bool {
	listed := 0
	for _, p := range t.parts {
		for _, f := range p.Files {
			if f.Sink == sink {
				listed++
			}
		}
	}
	for _, s := range t.missing {
		if s == sink {
			listed--
		}
	}
	return listed == 0
}
