package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/engine/commit"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/errclass"
	"reconcile/internal/shell"
	"reconcile/sinks"
	"reconcile/state"
)

// movedSink is a sink that a flag or a moved block says lies elsewhere.
type movedSink struct {
	plan.MovedSink
	block string // the block that says so, empty of a flag
}

// flag is how a command is told of it.
func (m movedSink) flag() string { return shell.Word("-moved-sink=" + m.From + "=" + m.To) }

// told is what says that the sink moved.
func (m movedSink) told() string {
	if m.block != "" {
		return m.block
	}
	return m.flag()
}

// SinksToMove lists the sinks that -moved-sink and the moved blocks name: those that the
// state has at their old place, and those of flags that it has at the new one already.
// A block says nothing of a sink that the state does not have at its old place.
func SinksToMove(p *Session, snap *state.Snapshot) (now, before []movedSink, err error) {
	if len(p.Ask.MovedSinks)+len(p.Ask.Config.Moves) == 0 {
		return nil, nil, nil
	}
	known := lake.Tables(snap)
	for _, arg := range p.Ask.MovedSinks {
		m, err := parseMoved(p, arg, known)
		if err != nil {
			return nil, nil, err
		}
		m.Tables = known[m.From]
		forgotten := snap.Forgotten[m.From]
		switch {
		case p.Declared.Has(m.From):
			return nil, nil, fmt.Errorf("%s: the configuration still has a sink at %s, as %s; let it name the new place first", m.flag(), m.From, p.Declared.Address(m.From))
		case m.Tables == nil && forgotten && known[m.To] != nil:
			before = append(before, m)
			continue
		case m.Tables == nil:
			return nil, nil, fmt.Errorf("%s: the state knows no sink at %s%s", m.flag(), m.From, detachedSinks(p, m.From, known))
		}
		if now, err = addMove(now, m, known); err != nil {
			return nil, nil, err
		}
	}
	for _, b := range p.Ask.Config.Moves {
		m := movedSink{plan.MovedSink{From: b.From, To: b.To, Tables: known[b.From]}, b.Block}
		if m.Tables == nil || slices.ContainsFunc(now, func(x movedSink) bool { return x.From == m.From && x.To == m.To }) {
			continue
		}
		if now, err = addMove(now, m, known); err != nil {
			return nil, nil, err
		}
	}
	return now, before, nil
}

// addMove adds a sink to those that move, unless another move or what the state has at
// the new place forbids it.
func addMove(now []movedSink, m movedSink, known map[string][]string) ([]movedSink, error) {
	switch i := slices.IndexFunc(now, func(x movedSink) bool { return x.From == m.From || x.To == m.To }); {
	case i >= 0 && m.block == "":
		return nil, fmt.Errorf("%s: one of the two is named twice", m.told())
	case i >= 0:
		return nil, fmt.Errorf("%s: it says that %s moved to %s, but %s names one of the two, too: only one of them can hold", m.told(), m.From, m.To, now[i].told())
	case slices.ContainsFunc(m.Tables, func(t string) bool { return slices.Contains(known[m.To], t) }):
		return nil, fmt.Errorf("%s: the state has tables at both %s and %s: %s", m.told(), m.From, m.To, strings.Join(known[m.To], ", "))
	}
	return append(now, m), nil
}

// parseMoved takes OLD=NEW apart, of which each may hold a "=".
func parseMoved(p *Session, arg string, known map[string][]string) (movedSink, error) {
	var best *movedSink
	for i := range len(arg) {
		if arg[i] != '=' || i == 0 || i == len(arg)-1 {
			continue
		}
		m := movedSink{MovedSink: plan.MovedSink{From: p.Declared.RootOf(arg[:i]), To: p.Declared.RootOf(arg[i+1:])}}
		if p.Declared.Has(m.To) && (best == nil || known[m.From] != nil) {
			best = &m
		}
	}
	if best == nil {
		var have []string
		for _, s := range p.Ask.Config.Sinks {
			have = append(have, s.Path)
		}
		return movedSink{}, fmt.Errorf("-moved-sink=%s: it is written OLD=NEW, and NEW has to be the path of a sink of the configuration: %s", arg, strings.Join(have, ", "))
	}
	return *best, nil
}

// moveSinks gives the plan's view of the state the new places of sinks. What is known
// of their files, as their times, is of the old ones: each is compared by its content.
func moveSinks(ctx context.Context, p *Session) error {
	now, before, err := SinksToMove(p, p.Snap)
	if err != nil {
		return err
	}
	for _, m := range now {
		p.Snap = renamed(p.Snap, m)
		for _, name := range m.Tables {
			unpin(p.Snap, name, m.To)
		}
		if asksNoSink(p) {
			continue
		}
		if gone, err := p.Lake.IsGone(ctx, p.Snap, m.To); err == nil && gone {
			return fmt.Errorf("%s: nothing of the sink is at %s, neither its current.json nor any of its files: is it the right path, and mounted? Nothing was changed", m.flag(), m.To)
		}
	}
	for _, m := range before {
		p.Notices = append(p.Notices, m.flag()+" has no effect: the state has the sink at its new place already")
	}
	for _, m := range now {
		p.Moved = append(p.Moved, m.MovedSink)
	}
	return nil
}

// renamed is a view of the state in which a sink is known at its new place.
func renamed(snap *state.Snapshot, m movedSink) *state.Snapshot {
	out := snap.Fork(m.Tables)
	lake.RenameSink(out, m.From, m.To, m.Tables)
	return out
}

// unpin forgets how the files of a table in a sink are told without reading them.
func unpin(snap *state.Snapshot, table, root string) {
	steps := func(list []state.Step) {
		for i := range list {
			if list[i].Sink == root {
				list[i].BeforePin = ""
			}
		}
	}
	for _, p := range snap.Publishes {
		if p.Table == table {
			steps(p.Steps)
		}
	}
	t := snap.Tables[table]
	if t == nil || t.SinkAt(root) < 0 {
		return
	}
	at := t.SinkAt(root)
	t.Sinks[at].Fingerprint = ""
	for _, p := range snap.Partitions[table] {
		for i := range p.Files {
			if p.Files[i].Sink == at {
				p.Files[i].Pin = ""
			}
		}
	}
}

// checkMoved refuses to go on where a declared sink was written from this state, which
// knows it at another place that is no longer declared.
func checkMoved(p *Session, snap *state.Snapshot, says lake.Heads, but map[string]bool) error {
	known := lake.Tables(snap)
	gone := slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(root string) bool { return but[root] || p.Declared.Has(root) })
	var moved []movedSink
	for _, s := range p.Ask.Config.Sinks {
		cur := says[s.Path].Current
		if but[s.Path] || cur == nil || cur.Lineage != snap.Lineage {
			continue
		}
		from := likest(s.Path, leftBehind(snap, cur, s.Path, known[s.Path] == nil, gone))
		if from == "" {
			continue
		}
		moved = append(moved, movedSink{MovedSink: plan.MovedSink{From: from, To: s.Path}})
		gone = slices.DeleteFunc(gone, func(r string) bool { return r == from })
	}
	if len(moved) == 0 {
		return nil
	}
	var where, flags []string
	for _, m := range moved {
		where = append(where, fmt.Sprintf("%s, which the state knows at %s", m.To, m.From))
		flags = append(flags, m.flag())
	}
	return fmt.Errorf("the sink moved: this state wrote what lies at %s. %s goes on there: every data file is read once and compared by its content, and the old place is forgotten and left as it is. A moved block in the configuration says the same for good. If it is a copy that is not to be used, move it aside",
		strings.Join(where, ", and at "), strings.Join(flags, " "))
}

// leftBehind lists the roots that a sink may have moved from, of those that are gone:
// any, if the state knows nothing at its root; else those where the state has tables
// that the sink itself names. A folder that a link led to can be known by both paths.
func leftBehind(snap *state.Snapshot, cur *sinks.Current, root string, unknown bool, gone []string) []string {
	if unknown {
		return gone
	}
	return slices.DeleteFunc(slices.Clone(gone), func(from string) bool {
		for name := range cur.Tables {
			if t := snap.Tables[name]; t != nil && t.SinkAt(root) < 0 && t.SinkAt(from) >= 0 {
				return false
			}
		}
		return true
	})
}

// likest returns the path that ends most like another one, empty if there is none.
func likest(path string, paths []string) string {
	common := func(a, b string) int {
		n := 0
		for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
			n++
		}
		return n
	}
	if len(paths) == 0 {
		return ""
	}
	return slices.MaxFunc(paths, func(a, b string) int { return common(path, a) - common(path, b) })
}

// CheckMovedLists is checkMoved for one who is about to finish commits: it asks only if
// one of them lies where no sink is declared. but are roots of which a flag speaks.
func CheckMovedLists(ctx context.Context, p *Session, snap *state.Snapshot, but map[string]bool) error {
	astray := func(x *state.Publish) bool {
		return slices.ContainsFunc(commit.Roots(x, snap.Tables[x.Table]), func(root string) bool { return !but[root] && !p.Declared.Has(root) })
	}
	if !slices.ContainsFunc(snap.Publishes, astray) {
		return nil
	}
	says := lake.Heads{}
	for _, s := range p.Ask.Config.Sinks {
		got, err := p.Lake.Head(ctx, s.Path)
		if err != nil && errclass.Of(err) != errclass.SinkUnavailable {
			return err
		}
		says[s.Path] = got
	}
	return checkMoved(p, snap, says, but)
}
