package planner

import (
	"cmp"
	"maps"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/sinks"
	"reconcile/state"
)

// Table is the plan of one table in the making, and what it is made of.
type Table struct {
	plan.Table

	Definition *definition.Table // nil if no block takes the table
	Kind, Key  string
	Old        *state.Table        // its record; nil for a new table
	Parts      []*state.Partition  // likewise
	Pending    []Delivery          // that it takes, by dump
	All        []Delivery          // every delivery in the source, for a rebuild
	Bad        map[int64]plan.Hold // deliveries that cannot be taken, void ones too
	resync     rules.Floor         // the newest full resync among the dumps that it has and keeps
	Floor      rules.Floor         // the newest full resync among these and the pending dumps
	Compared   map[int64]bool      // dumps of which the state is to go on knowing what was read
	Renewed    []state.ReadDump    // the same content under another ETag
	oldMapping *identity.Closure
	rekeyed    []int64       // users that get another person, sorted
	remap      bool          // users of stored rows get other persons
	touched    []touchedFile // files of its sinks; known also where the table is kept
	partial    []int         // sinks, as in old.Sinks, that no longer hold what was written
	missing    []state.File  // files that are gone from their sinks
	lostIn     []string      // roots of sinks that are said to be lost, where it is written anew
	mends      bool          // damage makes the table be rebuilt, or -replace, not its configuration
	replaced   bool          // -replace asks for that
	// settings are those that the configuration changes.
	settings []plan.Setting
	// Repair says why -repair rebuilds the table without trusting anything of its old
	// content; empty if that is not what is planned. Old has then the dumps that the
	// sinks name, too, and Left the files to replace.
	Repair         string
	Left           []state.Step
	Stand          *MappingAt // of a state that is made anew: the mapping where the lake has the table
	mappingInFiles *int64     // of user_migrations: the newest mapping that the files to replace show
	// rewrite says why -repair writes the table anew from the rows that it has, empty
	// if it does not; dropped are the objects that it does without.
	rewrite string
	dropped []string
	// outdated says that the table was written under older rules. It is not held for
	// that; -repair rebuilds it when -target names it.
	outdated      string
	notes         []string          // what there is to say of it
	readFrom      int               // the sink, as in old.Sinks, that a rewrite reads
	unread        *plan.Hold        // a file whose header would have told the columns
	passedBy      bool              // no block takes it, whatever its columns are
	fromNotes     bool              // its columns are known from what an earlier plan found in its files
	Fingerprinted bool              // the fingerprints of its folders are as good as new ones
	LostCommit    *state.LostCommit // that the table's next commit makes good
	// HeldFrom is the dump from which on a table is rebuilt without its dumps, nil without
	// one: it is held, or a resync that trips, and one that is taken back made it void.
	HeldFrom *int64
	tripped  []trippedNow       // full resyncs that guards hold, or that are void
	sampled  exec.Extent        // some of the rows that it is to read, see Sample
	rereads  int64              // bytes of applied dumps that a rebuild takes again
	replaces int64              // about how many bytes of its files the steps write again
	Known    []string           // delivered names that are known
	fields   map[int64][]string // by dump whose manifest has no columns: those of its files
	clash    string             // why it may not be written: its name or folder meets another's, or two globs tie for it
}

// trippedNow is a full resync that tripped in this plan.
type trippedNow struct {
	state.TrippedResync
	at    int // in Table.All
	floor rules.Floor
}

// Delivery is what one dump lists of a table.
type Delivery struct {
	Dump  int64
	Entry *dump.Entry
	// Again says that the table has the dump, and that a file of it has grown since.
	Again bool
}

// touchedFile is a file whose pin is no longer that of the state, and what it
// holds now.
type touchedFile struct {
	file        state.File
	digest, pin string
}

// fileAt is where a data file of a table is.
type fileAt struct {
	sink int // as in old.Sinks
	path string
}

func at(f state.File) fileAt { return fileAt{f.Sink, f.Path} }

// FoldersOf lists where a table is and where it is to be.
func FoldersOf(t *Table) []sinks.Place {
	var out []sinks.Place
	if t.Old != nil {
		for _, s := range t.Old.Sinks {
			out = append(out, sinks.Place{Root: s.Root, Path: s.Folder})
		}
	}
	if t.Definition == nil {
		return out
	}
	for _, s := range t.Definition.Sinks {
		at := sinks.Place{Root: s.Path, Path: t.Definition.Folder}
		if !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// rootsOf lists the sinks where a table is and is to be.
func rootsOf(t *Table) []string {
	var out []string
	for _, at := range FoldersOf(t) {
		if !slices.Contains(out, at.Root) {
			out = append(out, at.Root)
		}
	}
	return out
}

// DeliveryOf returns the index in all of what a dump delivers, -1 if the source
// does not say.
func (t *Table) DeliveryOf(dump int64) int {
	i, ok := slices.BinarySearchFunc(t.All, dump, func(d Delivery, id int64) int { return cmp.Compare(d.Dump, id) })
	if !ok {
		return -1
	}
	return i
}

// finder returns DeliveryOf for dumps that are asked for in their order, and are
// most of all.
func (t *Table) finder() func(dump int64) int {
	next := 0
	return func(dump int64) int {
		if next == len(t.All) || t.All[next].Dump != dump {
			i := t.DeliveryOf(dump)
			if i < 0 {
				return i
			}
			next = i
		}
		next++
		return next - 1
	}
}

// clone returns a copy that an apply may change. Both have the same records.
func (t *Table) clone() *Table {
	out := *t
	out.Table = *t.Table.Clone()
	out.Pending, out.All = slices.Clone(t.Pending), slices.Clone(t.All)
	out.Bad, out.Compared = maps.Clone(t.Bad), maps.Clone(t.Compared)
	out.Renewed, out.Left, out.dropped = slices.Clone(t.Renewed), slices.Clone(t.Left), slices.Clone(t.dropped)
	return &out
}

// Keep makes the plan of a table one that leaves it as it is.
func (t *Table) Keep() {
	kept := Table{Table: plan.Table{Name: t.Name}, Definition: t.Definition, Kind: t.Kind, Key: t.Key, Old: t.Old, Parts: t.Parts, outdated: t.outdated, touched: t.touched}
	if t.Old != nil {
		kept.RowsNow, kept.PartitionsNow = t.Old.Rows, len(t.Parts)
	}
	*t = kept
}

// allGone reports whether a sink has none of the files of the table that the state
// lists there.
func (t *Table) allGone(sink int) bool {
	listed := 0
	for _, p := range t.Parts {
		for _, f := range p.Files {
			if f.Sink == sink {
				listed++
			}
		}
	}
	for _, f := range t.missing {
		if f.Sink == sink {
			listed--
		}
	}
	return listed == 0
}
