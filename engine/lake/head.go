package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// Head is what the current.json of a sink says.
type Head struct {
	Current *sinks.Current // nil if there is none, or it cannot be read
	Version string         // of current.json; empty if there is none
	Damage  error          // why it cannot be read
}

// Head reads the current.json of a sink.
func (k *Lake) Head(ctx context.Context, root string) (Head, error) {
	sk, err := k.Open(ctx, root)
	if err != nil {
		return Head{}, err
	}
	cur, version, err := sk.Current(ctx)
	if errors.Is(err, sinks.ErrCurrentDamaged) {
		return Head{Version: version, Damage: err}, nil
	}
	return Head{Current: cur, Version: version}, err
}

// Written returns the current.json that this command wrote last to a sink, and forgets
// it; nil if none is known. As long as its version is there, it is what Head would read.
func Written(k *Lake, root string) *Head {
	s := k.entry(root)
	head := s.written
	s.written = nil
	return head
}

// NoteWritten notes what this command wrote as the current.json of a sink, for Written.
func NoteWritten(k *Lake, root string, h Head) { k.entry(root).written = &h }

// EachHead calls fn with the root and the head of each sink of the configuration that can
// be reached.
func (k *Lake) EachHead(ctx context.Context, fn func(root string, h Head) error) error {
	for _, s := range k.o.Declared.Sinks {
		if k.Down(s.Path) != nil {
			continue
		}
		h, err := k.Head(ctx, s.Path)
		if k.StopsTable(ctx, err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address(), err)
		}
		if err := fn(s.Path, h); err != nil {
			return err
		}
	}
	return nil
}

// Heads are those of the sinks of one state, by root.
type Heads map[string]Head

// ReadDetached reads the head of a sink that only the state names, unless it was read.
// One of another lineage says nothing.
func (h Heads) ReadDetached(ctx context.Context, k *Lake, root, lineage string) error {
	if _, ok := h[root]; ok {
		return nil
	}
	head, err := k.Head(ctx, root)
	if err != nil {
		return err
	}
	if head.Current != nil && head.Current.Lineage != lineage {
		head = Head{}
	}
	h[root] = head
	return nil
}

// Table returns what a sink says of a table.
func (h Heads) Table(root, table string) (sinks.CurrentTable, bool) {
	cur := h[root].Current
	if cur == nil {
		return sinks.CurrentTable{}, false
	}
	entry, ok := cur.Tables[table]
	return entry, ok
}

// TopCommit is the greatest commit that any sink names: the next one exceeds it (C14).
func (h Heads) TopCommit() uint64 {
	top := uint64(0)
	for _, head := range h {
		if head.Current == nil {
			continue
		}
		for _, t := range head.Current.Tables {
			top = max(top, t.Commit)
		}
	}
	return top
}

// Applied lists the dumps that the sinks of a table name as applied, in their order,
// where they have it at a commit or a greater one. A full resync that was lost before
// still makes smaller dumps void.
func (h Heads) Applied(table string, commit uint64) []state.Applied {
	var out []state.Applied
	add := func(a state.Applied) {
		i, had := slices.BinarySearchFunc(out, a.Dump, func(x state.Applied, id int64) int { return cmp.Compare(x.Dump, id) })
		if !had {
			out = slices.Insert(out, i, a)
		}
	}
	for _, root := range slices.Sorted(maps.Keys(h)) {
		cur, ok := h.Table(root, table)
		if !ok || cur.Commit < commit {
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

// Mapping is the newest mapping that a table stands at by a sink that has it at a commit
// or a greater one; nil if there is none.
func (h Heads) Mapping(table string, commit uint64) *int64 {
	var newest *int64
	for _, root := range slices.Sorted(maps.Keys(h)) {
		cur, ok := h.Table(root, table)
		if ok && cur.Commit >= commit && cur.Mapping != nil && (newest == nil || *cur.Mapping > *newest) {
			newest = cur.Mapping
		}
	}
	return newest
}

// HasMapping reports whether a sink has a table at the mapping of a dump.
func (h Heads) HasMapping(dump int64) bool {
	for _, head := range h {
		if head.Current == nil {
			continue
		}
		for _, t := range head.Current.Tables {
			if t.Mapping != nil && *t.Mapping == dump {
				return true
			}
		}
	}
	return false
}

// Ours reports whether something was published to a sink from the state of a lineage.
func (k *Lake) Ours(ctx context.Context, root, lineage string) (bool, error) {
	if seen := k.lookUp(root).lineage; seen != "" && seen == lineage {
		return true, nil
	}
	head, err := k.Head(ctx, root)
	return head.Current != nil && head.Current.Lineage == lineage, err
}

// NoteLineage notes of which lineage the state is that a sink was written from.
func (k *Lake) NoteLineage(root, lineage string) { k.entry(root).lineage = lineage }

// SameContent reports whether two entries of a table are of the same dumps and mapping.
func SameContent(a, b sinks.CurrentTable) bool {
	return slices.Equal(a.Dumps, b.Dumps) && SameDump(a.Mapping, b.Mapping)
}

// SameDump reports whether two dumps, of which each may be none, are the same.
func SameDump(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// StandingDumps are the dumps that a table has, as the rules take them.
func StandingDumps(t *state.Table) []rules.Dump {
	out := make([]rules.Dump, len(t.Applied))
	for i, a := range t.Applied {
		out[i] = rules.Dump{ID: a.Dump, Full: !a.Incremental, Skipped: a.Skipped, Lost: a.Lost}
	}
	return out
}

// EntryOf is the entry that the current.json of a sink has of a table at a commit; ok is
// false where the sink does not hold the table.
func EntryOf(t *state.Table, root string, commit uint64, complete bool) (_ sinks.CurrentTable, ok bool) {
	i := t.SinkAt(root)
	if i < 0 {
		return sinks.CurrentTable{}, false
	}
	c := sinks.CurrentTable{Commit: commit, Complete: complete, Folder: t.Sinks[i].Folder, Dumps: []int64{}}
	for _, a := range t.Applied {
		if !a.Lost {
			c.Dumps = append(c.Dumps, a.Dump)
		}
	}
	if id, ok := rules.LatestResync(StandingDumps(t)); ok && t.Kind != feed.KindMapping {
		c.Resync = &id
	}
	if t.HasMapping {
		c.Mapping = &t.MappingDump
	}
	if at := state.Time(t.Committed); !at.IsZero() {
		c.Committed = at.Format(time.RFC3339)
	}
	return c, true
}
