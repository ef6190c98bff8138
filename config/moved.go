package config

import (
	"github.com/hashicorp/hcl/v2"
)

// Move says that a sink lies elsewhere than where the state may know it. Chains are
// followed: To is the path of a declared sink.
type Move struct {
	From, To string // folders, absolute, or URLs
	Block    string // the block and where it stands, for messages
}

// movedBlock is a moved block as it is written.
type movedBlock struct {
	from, to *placedPath
	rng      hcl.Range
}

// loadMoved reads the moved blocks; the sinks are known.
func (l *loader) loadMoved(blocks hcl.Blocks) {
	byFrom := map[string]movedBlock{}
	var all []movedBlock
	for _, b := range blocks {
		c := l.content(b, schema{required: []string{"from", "to"}})
		m := movedBlock{l.place(c.Attributes["from"], movedPath), l.place(c.Attributes["to"], movedPath), b.DefRange}
		if m.from == nil || m.to == nil {
			continue
		}
		old, dup := byFrom[m.from.abs]
		switch {
		case m.from.abs == m.to.abs:
			l.add(errorAt(m.to.rng, "Moved to itself", "\"from\" and \"to\" are the same place. Name the old one and the new one, or remove the block."))
		case dup:
			l.add(errorAt(m.from.rng, "Moved twice", "%q is already moved at %s. Keep one of the two blocks.", m.from.written, place(old.rng)))
		default:
			byFrom[m.from.abs] = m
			all = append(all, m)
		}
	}
	for _, m := range all {
		l.resolveMoved(m, byFrom)
	}
}

// resolveMoved follows a block to the sink that it ends at. A chain that ends at none
// is diagnosed at its last block.
func (l *loader) resolveMoved(m movedBlock, byFrom map[string]movedBlock) {
	if s := l.sinkAt(m.from.abs); s != nil {
		l.add(errorAt(m.from.rng, "Still a sink", "%s is still at %q. Let it name the new place, or remove the block.", s.Address(), m.from.written))
		return
	}
	end, more := m, true
	for steps := 0; more && steps < len(byFrom) && l.sinkAt(end.to.abs) == nil; steps++ {
		var next movedBlock
		if next, more = byFrom[end.to.abs]; more {
			end = next
		}
	}
	switch s := l.sinkAt(end.to.abs); {
	case s != nil:
		l.cfg.Moves = append(l.cfg.Moves, Move{From: m.from.abs, To: s.Path, Block: "the moved block at " + place(m.rng)})
	case more:
		l.add(errorAt(m.from.rng, "Moved in a circle", "The moved blocks lead from %q in a circle, to no sink. Remove the one that no longer holds.", m.from.written))
	case end.rng == m.rng && !l.unsureSinks():
		l.add(errorAt(m.to.rng, "Moved to no sink", "No sink has the path %q.%s Let a sink name the new place, or remove the block.", m.to.written, didYouMean(m.to.written, l.writtenSinks())))
	}
}

// sinkAt returns the sink with a path, nil if none has it.
func (l *loader) sinkAt(path string) *Sink {
	for _, s := range l.cfg.Sinks {
		if s.Path == path {
			return s
		}
	}
	return nil
}

// writtenSinks lists the paths of the sinks as they are written.
func (l *loader) writtenSinks() []string {
	var out []string
	for _, p := range l.paths {
		if p.sink {
			out = append(out, p.written)
		}
	}
	return out
}

// unsureSinks reports whether the path of some sink is not known: what is wrong with it
// is diagnosed already, or a variable has no value.
func (l *loader) unsureSinks() bool { return l.broken || l.sinkAt("") != nil }
