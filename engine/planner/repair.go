package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// Some findings leave nothing to go by: a state that is older than the lake, a
// damaged object. Such a table is held as it is until -repair rebuilds it from the
// source, without trusting any file or object of its old content.

// repairsOutdated reports whether this run rebuilds a table that is not held and was
// written under older rules: only if -target names it.
func repairsOutdated(p *Session, t *Table) bool {
	return t.outdated != "" && p.Ask.Repair && slices.Contains(p.Ask.Targets, "table."+t.Name)
}

// RepairHold is the hold of a table that waits for -repair.
func RepairHold(table, why string) plan.Hold {
	return plan.Hold{Table: table, Reason: fmt.Sprintf("%s; the table stays as it is; %s rebuilds it from the source", why, repairFlags(table))}
}

// planDistrusted plans a table of which nothing can be trusted: it is held, or with
// -repair rebuilt.
func planDistrusted(ctx context.Context, p *Session, t *Table, why string) error {
	all := t.All
	t.Keep()
	p.Distrusted = append(p.Distrusted, t.Name)
	if !p.Ask.repairs(t.Name) {
		p.Holds = append(p.Holds, RepairHold(t.Name, why))
		return nil
	}
	t.All, t.Repair = all, why
	return planContent(ctx, p, t)
}

// planRepair begins the plan of a repair: the dumps of the table are those that the
// state or a sink has applied, and every data file in its folders is replaced.
func planRepair(ctx context.Context, p *Session, t *Table) error {
	if lost := p.Snap.Lost[t.Name]; lost != nil {
		t.Left = lost.Left
	}
	if err := findFiles(ctx, p, t); err != nil {
		return err
	}
	inFiles, err := dumpsInFiles(ctx, p, t)
	if err != nil {
		return err
	}
	for _, a := range inFiles {
		if t.Kind == feed.KindMapping && (t.mappingInFiles == nil || a.Dump > *t.mappingInFiles) {
			t.mappingInFiles = &a.Dump
		}
	}
	t.Old = recordWithSinks(p, t, inFiles)
	return nil
}

// recordWithSinks is the table's record, with what its sinks name as applied beyond
// it, and what the files that go hold beyond that. A table that only sinks know gets a
// record that has nothing else.
func recordWithSinks(p *Session, t *Table, inFiles []state.Applied) *state.Table {
	record := state.Table{Name: t.Name, Kind: t.Kind, Key: t.Key, ExactNames: true}
	if t.Old != nil {
		record = *t.Old
	}
	record.Applied = slices.Clone(record.Applied)
	for _, a := range append(p.Heads.Applied(t.Name, p.commitOf(t.Name)), inFiles...) {
		if i := t.DeliveryOf(a.Dump); i >= 0 {
			a.Digest, a.Incremental = t.All[i].Entry.Digest, t.All[i].Entry.Incremental
		}
		i, had := slices.BinarySearchFunc(record.Applied, a.Dump, func(x state.Applied, id int64) int { return cmp.Compare(x.Dump, id) })
		switch {
		case !had:
			record.Applied = slices.Insert(record.Applied, i, a)
		case record.Applied[i].Lost:
			record.Applied[i].Lost = a.Lost
		}
	}
	return &record
}

// findFiles lists the data files that a repair replaces: all in the folders where the
// table is, is to be, or is by what a sink says.
func findFiles(ctx context.Context, p *Session, t *Table) error {
	known := map[sinks.Place]state.File{}
	for _, part := range t.Parts {
		for _, f := range part.Files {
			known[sinks.Place{Root: t.Old.Sinks[f.Sink].Root, Path: f.Path}] = f
		}
	}
	for _, s := range t.Left {
		known[sinks.Place{Root: s.Sink, Path: s.Path}] = state.File{Digest: s.Before, Pin: s.BeforePin}
	}
	t.Left, t.Removes = nil, nil
	for _, at := range p.repairFolders(t) {
		sk, err := p.Lake.Open(ctx, at.Root)
		if err != nil {
			return err
		}
		files, err := sk.List(ctx, at.Path)
		if err != nil {
			return fmt.Errorf("table %s: listing %s in %s: %w", t.Name, at.Path, at.Root, err)
		}
		for _, o := range files {
			t.replaceFile(at.Root, o, known)
		}
	}
	slices.Sort(t.Removes)
	return nil
}

// replaceFile notes a file that a repair replaces. Its digest is left open if only its
// content tells: that is read when the repair is carried out.
func (t *Table) replaceFile(root string, o sinks.Object, known map[sinks.Place]state.File) {
	if !strings.HasSuffix(o.Path, ".parquet") {
		return
	}
	f, ok := known[sinks.Place{Root: root, Path: o.Path}]
	if !ok {
		t.Removes = append(t.Removes, root+"/"+o.Path)
	}
	s := state.Step{Sink: root, Path: o.Path, BeforePin: o.Pin}
	if f.Pin == o.Pin {
		s.Before = f.Digest
	}
	t.Left = append(t.Left, s)
}

// repairFolders lists every folder that may hold data files of the table.
func (p *Session) repairFolders(t *Table) []sinks.Place {
	out := FoldersOf(t)
	add := func(at sinks.Place) {
		if at.Path != "" && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	for _, s := range t.Left {
		folder, _, _ := strings.Cut(s.Path, "/")
		add(sinks.Place{Root: s.Sink, Path: folder})
	}
	for _, at := range slices.Clone(out) {
		if cur, ok := p.Heads.Table(at.Root, t.Name); ok {
			add(sinks.Place{Root: at.Root, Path: cur.Folder})
		}
	}
	return out
}
