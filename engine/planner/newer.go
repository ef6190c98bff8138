package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/lake"
	"reconcile/internal/shell"
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
// An older state is a lake.DistrustError; doubts are for the files to decide.
func judgeNewer(ctx context.Context, p *Session, t *Table) ([]doubt, error) {
	if asksNoSink(p) {
		return nil, nil
	}
	var doubts []doubt
	for _, root := range rootsOf(t) {
		if err := p.Heads.ReadDetached(ctx, p.Lake, root, p.Lineage); err != nil {
			return nil, err
		}
		if why := stateOlder(p, t, root); why != "" {
			return nil, lake.FoundNewer(ctx, p.Lock, why)
		}
		if d := t.doubtIn(p, root); d != nil {
			doubts = append(doubts, *d)
		}
	}
	return doubts, nil
}

// stateOlder says why a sink is newer than the state; empty if it is not.
func stateOlder(p *Session, t *Table, root string) string {
	cur, ok := p.Heads.Table(root, t.Name)
	have := p.commitOf(t.Name)
	if !ok || cur.Commit < have {
		return ""
	}
	if cur.Commit > have {
		return p.Home.OlderText(root, cur.Commit, have)
	}
	if t.Old == nil {
		return ""
	}
	known, ok := lake.EntryOf(t.Old, root, have, true)
	if !ok || lake.SameContent(known, cur) {
		return ""
	}
	return p.Home.OtherText(root, have)
}

// doubtIn is what the files of a sink have to decide, nil if its current.json says what
// the state does. While a commit is being made visible it need not.
func (t *Table) doubtIn(p *Session, root string) *doubt {
	if t.Old == nil || p.Publishing(t.Name) {
		return nil
	}
	i := t.Old.SinkAt(root)
	if i < 0 {
		return nil
	}
	cur, ok := p.Heads.Table(root, t.Name)
	if ok && cur.Commit == t.Old.Commit && cur.Complete && cur.Folder == t.Old.Sinks[i].Folder {
		return nil
	}
	d := &doubt{root: root, sink: i}
	switch says := p.Heads[root]; {
	case ok: // a smaller commit: the files decide, as drift
	case says.Damage != nil:
		d.why = says.Damage.Error()
	case says.Current != nil:
		d.why = fmt.Sprintf("_reconcile/current.json in %s does not name the table", root)
	default:
		d.why = fmt.Sprintf("_reconcile/current.json in %s is missing", root)
	}
	return d
}

// planStanding compares what the state says of a table with what its sinks say and
// hold.
func planStanding(ctx context.Context, p *Session, t *Table) error {
	doubts, err := judgeNewer(ctx, p, t)
	if err != nil {
		return err
	}
	err = planDrift(ctx, p, t, len(doubts) > 0 || p.Locked && len(p.Moved) > 0)
	var foreign *foreignError
	if err != nil && !errors.As(err, &foreign) {
		return err
	}
	for _, d := range doubts {
		differs := foreign.in(d.root) || slices.Contains(t.partial, d.sink)
		switch {
		case !differs:
			p.restate(d.root, t)
		case d.why == "" || !foreign.in(d.root) && isLost(p, t, d.root, d.sink):
		case t.allGone(d.sink) && p.Declared.Has(d.root):
			return &lake.DistrustError{Why: fmt.Sprintf("%s, and none of its files is there (if the sink is lost, %s writes it anew)", d.why, shell.Word("-sink-lost="+d.root))}
		default:
			return &lake.DistrustError{Why: d.why + ", and its files are not those that the state knows"}
		}
	}
	if err != nil || len(t.Drift) == 0 || p.Publishing(t.Name) {
		return err
	}
	why, err := writtenLater(ctx, p, t)
	if why != "" {
		return &lake.DistrustError{Why: why}
	}
	return err
}
