package engine

import (
	"context"
	"fmt"
	"slices"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// env is what all tables of an apply share.
type env struct {
	store    *state.Store
	source   *dump.Source
	lim      limits
	program  string
	noDelta  bool
	tagged   bool // the source has ETags
	progress func(table string, rows, bytes int64)
	maskKey  func(verifier string) config.Secret
}

// delivery is what one dump lists of a table.
type delivery struct {
	dump    int64
	entry   *dump.Entry
	skipped bool
	// again says that the table has the dump, and that a file of it has grown since.
	again bool
	// pins are those of its files, by key, as the plan saw them; nil if it did not look.
	pins map[string]string
}

// tableRun brings one table to its new state. It is used once, by one
// goroutine; what it does in parallel it owns.
type tableRun struct {
	env        *env
	cfg        *definition.Table
	kind, key  string
	old        *state.Table // nil for a new table
	oldParts   []*state.Partition
	oldSinks   []sinks.Sink // by index of old.Sinks
	readFrom   int          // index into old.Sinks
	pending    []delivery   // sorted by dump
	oldMapping *identity.Closure
	newMapping *identity.Closure
	mapping    *state.Mapping // that the table will stand at; nil without any
	full       *identity.Mapping
	attempt    *attempt
	schema     *schema
	ids        []int64 // all dumps, sorted: rank -> id
	rank       map[int64]int
	floor      int64        // everything of smaller dumps is void
	left       []state.Step // removals of files that the state does not list
	masks      bool         // the run masks what was plain
	// failCasts says that a value that does not cast holds the table. It does not
	// when applied dumps are read again: they were judged when they came.
	failCasts bool
	// stands are published rows that take the place of those of dumps that are gone; nil
	// if none do.
	stands *standIns
	// rounded counts values of users.
	rounded int64
	// asNew says that the table's stored rows are not to be used.
	asNew bool
	// compared are the dumps of which the state goes on knowing what was read.
	compared map[int64]bool
	// echo is what the only pending dump is, nil if it may be anything.
	echo *echo
	// badHeader is a file whose header cannot be read.
	badHeader *fileError
	ofConfig  bool             // it carries out a change of the configuration
	claims    map[int64]claims // by pending dump: what names mean that Avro does not allow
	brought   []delivered      // what the pending dumps bring
}

// change is the staged new state of a table: durable, and invisible until it
// is committed.
type change struct {
	table    *state.Table
	parts    []*part
	removed  []uint32 // ordinals
	all      bool     // parts are all there is
	objects  []*state.Sealed
	counts   plan.Counts
	unlisted map[string]int64
	echo     *echo // that it carries out; nil if none
}

// prepare settles the dumps and their order.
func (r *tableRun) prepare() {
	seen := map[int64]bool{}
	var dumps []rules.Dump
	if r.old != nil {
		for _, a := range r.old.Applied {
			seen[a.Dump] = true
			dumps = append(dumps, rules.Dump{ID: a.Dump, Full: !a.Incremental, Skipped: a.Skipped, Lost: a.Lost})
		}
	}
	for _, d := range r.pending {
		seen[d.dump] = true
		dumps = append(dumps, rules.Dump{ID: d.dump, Full: !d.entry.Incremental, Skipped: d.skipped})
	}
	r.floor = rules.Live(dumps)
	r.ids = sortedKeys(seen)
	r.rank = make(map[int64]int, len(r.ids))
	for i, id := range r.ids {
		r.rank[id] = i
	}
}

// live reports whether rows of a dump count.
func (r *tableRun) live(id int64) bool { return id >= r.floor }

// files lists the part files to read: those of live pending dumps.
func (r *tableRun) files() []sourceFile {
	var out []sourceFile
	for _, d := range r.pending {
		if d.skipped || !r.live(d.dump) {
			continue
		}
		for i, f := range d.entry.Files {
			out = append(out, sourceFile{dump: d.dump, rank: r.rank[d.dump], index: i, key: f.Key,
				pin: d.pins[f.Key], again: d.again, claims: r.claims[d.dump], columns: d.entry.Columns, hasColumns: d.entry.HasColumns})
		}
	}
	return out
}

// delivered lists the columns that the pending dumps bring. Of void dumps only
// what the manifest says counts; without a list of columns a live dump brings
// the fields of its files, which fields gives.
func (r *tableRun) delivered(ctx context.Context) ([]delivered, error) {
	var out []delivered
	for _, d := range r.pending {
		if d.skipped {
			continue
		}
		if err := r.claim(ctx, d); err != nil {
			return nil, err
		}
		names := d.entry.Columns
		if !d.entry.HasColumns && r.live(d.dump) {
			for i, f := range d.entry.Files {
				h, err := readHeader(ctx, r.env.source, f.Key)
				if err != nil {
					return nil, &fileError{sourceFile{dump: d.dump, index: i, key: f.Key}, err}
				}
				names = append(slices.Clip(names), fieldNames(h)...)
			}
		}
		for _, n := range names {
			out = append(out, delivered{n, d.dump, d.entry.HasColumns})
		}
	}
	return out, nil
}

// claim finds out what the names of a delivery mean that Avro does not allow.
func (r *tableRun) claim(ctx context.Context, d delivery) error {
	if !r.live(d.dump) {
		return nil
	}
	c, _, err := claimsOf(ctx, r.env.source, d.dump, d.entry)
	if err != nil || c == nil {
		return err
	}
	if r.claims == nil {
		r.claims = map[int64]claims{}
	}
	r.claims[d.dump] = c
	return nil
}

// newTable returns the table's record after the run, without its content.
func (r *tableRun) newTable() *state.Table {
	t := &state.Table{Name: r.cfg.Name, Kind: r.kind, Key: r.key, PartitionBy: r.cfg.PartitionBy,
		OnSchemaChange: r.cfg.OnSchemaChange, OnCastError: r.cfg.OnCastError, Listed: r.cfg.Columns, Columns: r.schema.stateColumns(),
		ExactNames: !r.schema.legacy}
	if r.kind != feed.KindMapping {
		t.Renamed = r.cfg.Renamed()
	}
	if r.old != nil {
		t.Spelling = slices.Clone(r.old.Spelling)
	}
	for _, tg := range r.attempt.targets {
		t.Sinks = append(t.Sinks, state.SinkTable{Root: tg.sink.Root(), Folder: tg.folder, Compression: tg.compression, Encodings: tg.encodings})
	}
	if r.old != nil {
		t.Applied = slices.Clone(r.old.Applied)
		t.Generation, t.NextOrdinal = r.old.Generation, r.old.NextOrdinal
		t.Index, t.Users, t.UserRuns = slices.Clone(r.old.Index), r.old.Users, slices.Clone(r.old.UserRuns)
		t.Read = r.old.Read
		for _, q := range r.old.Quarantine {
			if r.live(q.Dump) && !r.takes(q.Dump) {
				t.Quarantine = append(t.Quarantine, q)
			}
		}
	}
	for _, d := range r.pending {
		t.Applied = slices.DeleteFunc(t.Applied, func(a state.Applied) bool { return a.Dump == d.dump })
		t.Applied = append(t.Applied, state.Applied{Dump: d.dump, Digest: d.entry.Digest, Incremental: d.entry.Incremental, Skipped: d.skipped})
	}
	slices.SortFunc(t.Applied, func(a, b state.Applied) int { return int(min(max(a.Dump-b.Dump, -1), 1)) })
	if r.mapping != nil {
		t.HasMapping, t.MappingDump, t.Mapping = true, r.mapping.Dump, r.mapping.Ref
	}
	if n := len(t.Applied); n > 0 {
		t.LastDelivery = t.Applied[n-1].Dump
	}
	t.Content = r.keptContent(t.Applied)
	t.Rules = r.rules()
	return t
}

// takes reports whether a dump is among the pending ones.
func (r *tableRun) takes(id int64) bool {
	return slices.ContainsFunc(r.pending, func(d delivery) bool { return d.dump == id })
}

// canon is the mapping that the table will stand at.
func (r *tableRun) canon(raw int64) int64 { return r.newMapping.Canon(raw) }

func (r *tableRun) metadata() map[string]string {
	m := map[string]string{"version": r.env.program, "table": r.cfg.Name}
	if n := len(r.ids); n > 0 {
		m["dump"] = fmt.Sprint(r.ids[n-1])
	}
	return m
}
