package engine

import (
	"context"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/state"
)

// part is a partition of a change as it will be recorded.
type part struct {
	record state.Partition
	staged []string // by record.Files; empty for a file that stays as it is
}

// change is the new state of a table: what a transaction stores of it, and what then
// becomes visible.
type change struct {
	table    *state.Table
	parts    []*part
	removed  []uint32 // ordinals
	all      bool     // parts are all there is
	objects  []*state.Sealed
	counts   plan.Counts
	unlisted map[string]int64
}

// changeOf makes what is committed of a step and its result.
func (s *tableStep) changeOf(ctx context.Context, store *state.Store, d *exec.Done) (*change, error) {
	c := &change{table: s.record(d), removed: d.Removed, all: d.All, counts: d.Counts, unlisted: d.Unlisted}
	for i := range d.Partitions {
		c.parts = append(c.parts, recordedPart(&d.Partitions[i]))
	}
	for _, o := range d.Objects {
		sealed, err := commit.Adopt(ctx, store, o, s.made.has(o.Ref))
		if err != nil {
			return nil, err
		}
		c.objects = append(c.objects, sealed)
	}
	return c, nil
}

func recordedPart(p *exec.Partition) *part {
	out := &part{record: state.Partition{Ordinal: p.Ordinal, Value: p.Value, Null: p.Null, Rows: p.Rows, Shadow: state.Ref(p.Shadow), Newest: p.Newest}}
	for _, f := range p.Files {
		out.record.Files = append(out.record.Files, state.File{Sink: f.Sink, Path: f.Path, Size: f.Size, Rows: f.Rows, Digest: f.Digest, Pin: f.Pin, Appended: f.Appended})
		out.staged = append(out.staged, f.Staged)
	}
	return out
}

// record is what the state will say of the table but its commit.
func (s *tableStep) record(d *exec.Done) *state.Table {
	t := &state.Table{Name: s.cfg.Name, Kind: s.kind, Key: s.key, PartitionBy: s.cfg.PartitionBy,
		OnSchemaChange: s.cfg.OnSchemaChange, OnCastError: s.cfg.OnCastError, Listed: s.cfg.Columns, Columns: stateColumns(&s.schema.Schema),
		ExactNames: !s.schema.Legacy, Generation: d.Generation, NextOrdinal: d.NextOrdinal, Users: state.Ref(d.Users),
		Rows: d.Counts.Rows, LastDelivery: s.task.LastDelivery(), Rules: s.rules()}
	if s.kind != feed.KindMapping {
		t.Renamed = s.cfg.Renamed()
	}
	if s.old != nil {
		t.Spelling = slices.Clone(s.old.Spelling)
	}
	if d.Strategy == exec.Metadata {
		t.Rows = s.old.Rows
	}
	for _, name := range d.Spelled {
		if !slices.Contains(t.Spelling, name) {
			t.Spelling = append(t.Spelling, name)
		}
	}
	for _, sk := range s.task.Sinks {
		t.Sinks = append(t.Sinks, state.SinkTable{Root: sk.Root, Folder: sk.Folder, Compression: sk.Compression, Encodings: sk.Encodings})
	}
	for _, a := range s.task.AppliedAfter() {
		t.Applied = append(t.Applied, state.Applied(a))
	}
	if m := s.task.NewMapping; m != nil {
		t.HasMapping, t.MappingDump, t.Mapping = true, m.Dump, state.Ref(m.Ref)
	}
	noteObjects(t, d)
	s.noteColumns(t, d)
	return t
}

// noteObjects says which objects the table has, and what was read.
func noteObjects(t *state.Table, d *exec.Done) {
	for _, ref := range d.Index {
		t.Index = append(t.Index, state.Ref(ref))
	}
	for _, ref := range d.UserRuns {
		t.UserRuns = append(t.UserRuns, state.Ref(ref))
	}
	for _, q := range d.Quarantine {
		t.Quarantine = append(t.Quarantine, state.DumpRef{Dump: q.Dump, Ref: state.Ref(q.Ref)})
	}
	if d.Content != nil {
		c := state.Content(*d.Content)
		t.Content = &c
	}
	for _, r := range d.Read {
		t.Read = append(t.Read, *recordedRead(&r))
	}
}

// recordedRead is what was read of a dump as the state keeps it; nil for nil.
func recordedRead(r *exec.Read) *state.ReadDump {
	if r == nil {
		return nil
	}
	out := &state.ReadDump{Dump: r.Dump}
	for _, f := range r.Files {
		out.Files = append(out.Files, state.ReadFile(f))
	}
	return out
}

// noteColumns adds to the columns of the table what only files tell of them.
func (s *tableStep) noteColumns(t *state.Table, d *exec.Done) {
	for i := range t.Columns {
		col := &t.Columns[i]
		id := s.schema.Table.ID(rules.AskedName(s.schema.Table, s.schema.Legacy, col.Delivered, col.Name))
		for _, c := range d.Carried {
			if c.Column == id {
				col.Seen = max(col.Seen, c.Dump)
			}
		}
		for _, sp := range d.Spellings {
			if sp.Column == id {
				known := rules.Column{Delivered: col.Delivered, Spellings: col.Spellings}
				known.Spell(sp.Name)
				col.Spellings = known.Spellings
			}
		}
	}
}

// rules returns the number of the content rules that the table's record gets: that of
// its oldest live rows.
func (s *tableStep) rules() int {
	switch {
	case s.kind == feed.KindMapping && s.task.NewMapping != nil:
		return s.task.NewMapping.Rules
	case s.old == nil || s.task.Fresh || s.allVoid():
		return rules.ContentVersion
	}
	return s.old.Rules
}
