package planner

import (
	"context"
	"maps"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/errclass"
	"slices"
)

// asksNoSink reports whether a plan is one that looks at no sink at all: an apply reads
// their current.json whatever it is asked for.
func asksNoSink(p *Session) bool { return p.Blind && !p.Locked }

// checkSinks refuses sinks that belong to another state.
func checkSinks(ctx context.Context, p *Session) error {
	if asksNoSink(p) {
		return nil
	}
	err := p.Lake.EachHead(ctx, func(root string, head lake.Head) error {
		p.Heads[root] = head
		cur := head.Current
		if err := p.Home.Check(ctx, p.Snap, p.Declared.Name(root), cur); err != nil {
			return err
		}
		if cur != nil {
			p.Lake.NoteLineage(root, cur.Lineage)
		}
		if cur != nil && cur.Lineage != p.Lineage {
			return p.Lake.OtherLineage(root, cur.Lineage, p.Lineage)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return checkMoved(p, p.Snap, p.Heads, nil)
}

// findGone notes which of the sinks that the state has are not there, and holds their
// tables; those that are said to be lost are rewritten.
func findGone(ctx context.Context, p *Session) error {
	if asksNoSink(p) {
		return nil
	}
	known := lake.Tables(p.Snap)
	for _, root := range slices.Sorted(maps.Keys(known)) {
		if p.Lake.Down(root) != nil {
			continue
		}
		is := false
		err := p.Heads.ReadDetached(ctx, p.Lake, root, p.Lineage)
		if err == nil && p.Heads[root] == (lake.Head{}) {
			is, err = p.Lake.IsGone(ctx, p.Snap, root)
		}
		if err != nil {
			if p.Lake.StopsTable(ctx, err) {
				continue
			}
			return err
		}
		if is && !p.Declared.SaidLost(root) {
			p.Lake.NoteGone(root)
			p.Holds = append(p.Holds, plan.Hold{Sink: root, Reason: p.Lake.GoneText(root, known[root])})
		}
	}
	return nil
}

// OnlySinks reports whether nothing changes about what the table has but in which sinks it
// is, and one of these holds all of it: then files are copied or removed, and none is
// written again.
func OnlySinks(t *Table) bool {
	if t.Old == nil || len(t.Old.Sinks) == 0 || t.Change.Class != plan.ClassRewrite || len(t.settings) == 0 {
		return false
	}
	if t.Repair+t.rewrite != "" || t.replaced || len(t.partial)+len(t.missing)+len(t.lostIn)+len(t.Drift)+len(t.touched) > 0 {
		return false
	}
	return !slices.ContainsFunc(t.settings, func(s plan.Setting) bool { return s.Name != settingSinks })
}

// bytesToCopy is how much sinks get that the table comes to.
func bytesToCopy(t *Table) int64 {
	if !OnlySinks(t) {
		return 0
	}
	one, comes := int64(0), int64(0)
	for _, s := range t.Definition.Sinks {
		if t.Old.SinkAt(s.Path) < 0 {
			comes++
		}
	}
	for _, p := range t.Parts {
		for _, f := range p.Files {
			if f.Sink == t.readFrom {
				one += f.Size
			}
		}
	}
	return one * comes
}

// isLost reports whether a table is lost in a sink that is said to be lost: the sink
// does not speak of it, and has none of its files.
func isLost(p *Session, t *Table, root string, sink int) bool {
	if _, named := p.Heads.Table(root, t.Name); named || p.Heads[root].Damage != nil || !p.Declared.SaidLost(root) || !t.allGone(sink) {
		return false
	}
	p.Lake.NoteLost(root)
	t.lostIn = append(t.lostIn, root)
	return true
}

// Unreachable returns why a table cannot be worked on in this run, nil if it
// can: one of its sinks failed, or its last commit could not be finished.
func Unreachable(p *Session, t *Table) error {
	if err := p.Unfinished.Why(t.Name); err != nil && (t.Repair == "" || errclass.Of(err) != errclass.Distrusted) {
		return err
	}
	for _, at := range FoldersOf(t) {
		if err := p.Lake.Unusable(at.Root); err != nil {
			return err
		}
	}
	return nil
}
