package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"reconcile/sinks"
	"reconcile/state"
)

// sinkSays is what the current.json of a sink says.
type sinkSays struct {
	current *sinks.Current // nil if there is none, or it cannot be read
	version string         // of current.json; empty if there is none
	damage  error          // why it cannot be read
}

// readSays reads the current.json of a sink.
func (e *Engine) readSays(ctx context.Context, root string) (sinkSays, error) {
	sk, err := e.openSink(root, "")
	if err != nil {
		return sinkSays{}, err
	}
	cur, version, err := sk.Current(ctx)
	if errors.Is(err, sinks.ErrCurrentDamaged) {
		return sinkSays{version: version, damage: err}, nil
	}
	return sinkSays{current: cur, version: version}, err
}

// currentOf returns what a sink says of a table.
func (p *Plan) currentOf(root, table string) (sinks.CurrentTable, bool) {
	cur := p.says[root].current
	if cur == nil {
		return sinks.CurrentTable{}, false
	}
	entry, ok := cur.Tables[table]
	return entry, ok
}

// topCommit is the greatest commit that any sink names: the next one exceeds it.
func (p *Plan) topCommit() uint64 {
	top := uint64(0)
	for _, s := range p.says {
		if s.current == nil {
			continue
		}
		for _, t := range s.current.Tables {
			top = max(top, t.Commit)
		}
	}
	return top
}

// appliedInSinks lists the dumps that the sinks of a table name as applied, in their
// order, as far as the state is not newer. A full resync that was lost before still makes
// smaller dumps void.
func (p *Plan) appliedInSinks(table string) []state.Applied {
	var out []state.Applied
	add := func(a state.Applied) {
		i, had := slices.BinarySearchFunc(out, a.Dump, func(x state.Applied, id int64) int { return cmp.Compare(x.Dump, id) })
		if !had {
			out = slices.Insert(out, i, a)
		}
	}
	for _, root := range sortedKeys(p.says) {
		cur, ok := p.currentOf(root, table)
		if !ok || cur.Commit < p.commitOf(table) {
			continue
		}
		for _, d := range cur.Dumps {
			add(state.Applied{Dump: d, Incremental: cur.Resync == nil || d != *cur.Resync})
		}
		if cur.Resync != nil && !slices.Contains(cur.Dumps, *cur.Resync) {
			add(state.Applied{Dump: *cur.Resync, Lost: true})
		}
	}
	return out
}

// mappingInSinks is the newest mapping that a table stands at by a sink that is newer
// than the state; nil if there is none.
func (p *Plan) mappingInSinks(table string) *int64 {
	var newest *int64
	for _, root := range sortedKeys(p.says) {
		cur, ok := p.currentOf(root, table)
		if ok && cur.Commit >= p.commitOf(table) && cur.Mapping != nil && (newest == nil || *cur.Mapping > *newest) {
			newest = cur.Mapping
		}
	}
	return newest
}

// mappingBeyond reports whether a sink has a table at the mapping of a dump of which the
// state, being older, does not know that it was applied.
func (p *Plan) mappingBeyond(dump int64) bool {
	for _, says := range p.says {
		if says.current == nil {
			continue
		}
		for _, t := range says.current.Tables {
			if t.Mapping != nil && *t.Mapping == dump {
				return true
			}
		}
	}
	return false
}

// commitOf is the newest commit of a table that the state knows, that of a removal
// under way included.
func (p *Plan) commitOf(table string) uint64 {
	commit := uint64(0)
	if t := p.snap.Tables[table]; t != nil {
		commit = t.Commit
	}
	for _, x := range p.snap.Publishes {
		if x.Table == table {
			commit = max(commit, x.Commit)
		}
	}
	return commit
}

// readDeparted reads what a sink says that only the state names.
func (e *Engine) readDeparted(ctx context.Context, p *Plan, root string) error {
	if _, ok := p.says[root]; ok {
		return nil
	}
	says, err := e.readSays(ctx, root)
	if err != nil {
		return err
	}
	if says.current != nil && says.current.Lineage != p.Lineage {
		says = sinkSays{}
	}
	p.says[root] = says
	return nil
}
