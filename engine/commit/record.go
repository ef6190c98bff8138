package commit

import (
	"context"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// NewChange makes what is committed of a task and what became of it. made says of an
// object that this process wrote it. Old, OldParts, Left and Masks are the caller's to set.
func NewChange(ctx context.Context, store *state.Store, t *exec.Task, d *exec.Done, made func(exec.Ref) bool) (*Change, error) {
	c := &Change{Attempt: t.Attempt, Base: t.Base, Removed: d.Removed, Whole: d.All}
	names := map[string]string{} // of objects, by digest
	for _, o := range d.Objects {
		sealed, err := Adopt(ctx, store, o, made(o.Ref))
		if err != nil {
			return nil, err
		}
		c.Objects = append(c.Objects, sealed)
		names[sealed.Ref.Digest] = sealed.Ref.Name
	}
	d = withNames(d, names)
	c.Table = tableRecord(t, d)
	for i := range d.Partitions {
		c.Parts = append(c.Parts, newPart(&d.Partitions[i]))
	}
	for _, r := range d.RemovedFiles {
		for _, path := range r.Paths {
			c.Removals = append(c.Removals, sinks.Place{Root: r.Root, Path: path})
		}
	}
	return c, nil
}

// withNames gives new objects the names that they got when they were adopted.
func withNames(d *exec.Done, names map[string]string) *exec.Done {
	name := func(ref exec.Ref) exec.Ref {
		if n, ok := names[ref.Digest]; ok {
			ref.Name = n
		}
		return ref
	}
	all := func(refs []exec.Ref) []exec.Ref {
		out := slices.Clone(refs)
		for i, ref := range refs {
			out[i] = name(ref)
		}
		return out
	}
	out := *d
	out.Index, out.Users, out.UserRuns = all(d.Index), name(d.Users), all(d.UserRuns)
	out.Quarantine, out.Partitions = slices.Clone(d.Quarantine), slices.Clone(d.Partitions)
	for i := range out.Quarantine {
		out.Quarantine[i].Ref = name(out.Quarantine[i].Ref)
	}
	for i := range out.Partitions {
		out.Partitions[i].Shadow = name(out.Partitions[i].Shadow)
	}
	return &out
}

func newPart(p *exec.Partition) Part {
	out := Part{Record: &state.Partition{Ordinal: p.Ordinal, Value: p.Value, Null: p.Null, Rows: p.Rows, Shadow: state.Ref(p.Shadow), Newest: p.Newest}}
	for _, f := range p.Files {
		out.Record.Files = append(out.Record.Files, state.File{Sink: f.Sink, Path: f.Path, Size: f.Size, Rows: f.Rows, Digest: f.Digest, Pin: f.Pin, Appended: f.Appended})
		out.Staged = append(out.Staged, f.Staged)
	}
	return out
}

// tableRecord is what the state says of a table once what became of a task is committed, but
// for the number of that commit.
func tableRecord(task *exec.Task, d *exec.Done) *state.Table {
	table := task.Schema.Table
	t := &state.Table{Name: task.Table, Kind: task.Kind, Key: task.Key, PartitionBy: table.PartitionBy,
		OnSchemaChange: table.OnSchemaChange, OnCastError: table.OnCastError, Listed: table.Columns, Columns: RecordColumns(task.Schema),
		ExactNames: !task.Schema.Legacy, Generation: d.Generation, NextOrdinal: d.NextOrdinal, Users: state.Ref(d.Users),
		Rows: d.Counts.Rows, LastDelivery: task.LastDelivery(), Rules: contentRules(task)}
	if task.Plan != "" {
		t.Plan, t.PlanStep = task.Plan, string(task.Step)
	}
	if task.Kind != feed.KindMapping {
		t.Renamed = table.Renamed
	}
	if task.Stored != nil {
		t.Spelling = slices.Clone(task.Stored.Spelled)
	}
	if d.Strategy == exec.Metadata {
		t.Rows = task.Stored.Rows
	}
	for _, name := range d.Spelled {
		if !slices.Contains(t.Spelling, name) {
			t.Spelling = append(t.Spelling, name)
		}
	}
	for _, sk := range task.Sinks {
		t.Sinks = append(t.Sinks, state.SinkTable{Root: sk.Root, Folder: sk.Folder, Compression: sk.Compression, Encodings: sk.Encodings})
	}
	for _, a := range task.AppliedAfter() {
		t.Applied = append(t.Applied, state.Applied(a))
	}
	if m := task.NewMapping; m != nil {
		t.HasMapping, t.MappingDump, t.Mapping = true, m.Dump, state.Ref(m.Ref)
	}
	noteObjects(t, d)
	noteColumns(t, task.Schema, d)
	return t
}

// uncounted lists the full resyncs that a table has, and that were void whenever it was
// committed.
func uncounted(before, now *state.Table) (out []int64) {
	if now.Kind == feed.KindMapping {
		return nil
	}
	floor := rules.Live(lake.StandingDumps(now))
	for _, a := range now.Applied {
		if a.Incremental || floor.Live(a.Dump) {
			continue
		}
		if before == nil || !before.Has(a.Dump) || slices.Contains(before.Uncounted, a.Dump) {
			out = append(out, a.Dump)
		}
	}
	return out
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
		t.Read = append(t.Read, *ReadDump(&r))
	}
}

// ReadDump is what was read of a dump as the state keeps it; nil for nil.
func ReadDump(r *exec.Read) *state.ReadDump {
	if r == nil {
		return nil
	}
	out := &state.ReadDump{Dump: r.Dump, Files: make([]state.ReadFile, len(r.Files))}
	for i, f := range r.Files {
		out.Files[i] = state.ReadFile(f)
	}
	return out
}

// noteColumns adds to the columns of the table what only files tell of them.
func noteColumns(t *state.Table, s *rules.Schema, d *exec.Done) {
	byID := map[string][]*state.Column{}
	for i := range t.Columns {
		col := &t.Columns[i]
		id := s.Table.ID(rules.AskedName(s.Table, s.Legacy, col.Delivered, col.Name))
		byID[id] = append(byID[id], col)
	}
	for _, c := range d.Carried {
		for _, col := range byID[c.Column] {
			col.Seen = max(col.Seen, c.Dump)
		}
	}
	for _, sp := range d.Spellings {
		for _, col := range byID[sp.Column] {
			known := rules.Column{Delivered: col.Delivered, Spellings: slices.Clone(col.Spellings)}
			known.Spell(sp.Name)
			col.Spellings = known.Spellings
		}
	}
}

// contentRules is the number of the content rules that the table's oldest live rows were
// written by.
func contentRules(t *exec.Task) int {
	switch {
	case t.Kind == feed.KindMapping && t.NewMapping != nil:
		return t.NewMapping.Rules
	case t.Stored == nil || t.Fresh || t.AllVoid():
		return rules.ContentVersion
	}
	return t.Stored.Rules
}

// RecordColumns returns the columns of a table as the state keeps them.
func RecordColumns(s *rules.Schema) []state.Column {
	var out []state.Column
	for _, c := range s.Columns() {
		out = append(out, state.Column{Name: c.Name, Delivered: c.Delivered, Type: c.Type.String(), Since: c.Since, Mask: string(c.Mask), Verifier: c.Verifier,
			Merge: c.Merge, Listed: c.Listed, Seen: c.Seen, Spellings: c.Spellings, TimeUnit: rules.UnitText(c.Rule.Unit), Round: rules.RoundText(c.Rule)})
	}
	return out
}
