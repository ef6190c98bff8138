package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/state"
)

// Action is what a plan does to a table; its text is its symbol in a plan.
type Action string

// The actions.
const (
	None    Action = ""
	Create  Action = "+"
	Update  Action = "~"
	Rebuild Action = "-/+"
	Destroy Action = "-"
	Forget  Action = "."
)

// Hold is something that waits, and why.
type Hold = state.Hold

// DumpStep is one dump that a table is about to take.
type DumpStep struct {
	Dump   int64 `json:"dump"`
	Files  int   `json:"files"`
	Bytes  int64 `json:"bytes"`
	Resync bool  `json:"resync,omitempty"`
	Void   bool  `json:"void,omitempty"` // a later resync makes it void: not read
	// Again says that the table has it, and that a file of it has grown since.
	Again bool `json:"again,omitempty"`
}

// TablePlan is what a plan does to one table.
type TablePlan struct {
	Name          string     `json:"name"`
	Action        Action     `json:"action"`
	Change        ConfigDiff `json:"change"`
	Dumps         []DumpStep `json:"dumps,omitempty"`
	Columns       []string   `json:"new_columns,omitempty"`
	Behind        bool       `json:"behind,omitempty"` // left out by -target
	RowsNow       int64      `json:"rows_now"`
	PartitionsNow int        `json:"partitions_now"`
	Partitions    int64      `json:"partitions_to_write"`
	BytesToWrite  int64      `json:"bytes_to_write"`
	Scratch       int64      `json:"scratch_bytes,omitempty"` // about what it takes in scratch_dir meanwhile
	Exact         bool       `json:"exact,omitempty"`
	Rekeyed       int        `json:"users_rekeyed,omitempty"`
	Drift         []string   `json:"drift,omitempty"`
	Lost          []int64    `json:"lost_dumps,omitempty"`
	LostMapping   *int64     `json:"lost_mapping,omitempty"` // a sink stood at it, and the source lacks it
	Destroys      []string   `json:"destroys,omitempty"`
	Removes       []string   `json:"removes,omitempty"` // data files that the state does not know
	Counts        *Counts    `json:"counts,omitempty"`

	cfg        *config.Table
	kind, key  string
	old        *state.Table
	parts      []*state.Partition
	pending    []delivery
	all        []delivery       // every delivery in the source, for a rebuild
	bad        map[int64]Hold   // deliveries that cannot be taken, void ones too
	resync     int64            // the newest full resync among the dumps that it has and keeps
	floor      int64            // the newest full resync among these and the pending dumps
	compared   map[int64]bool   // dumps of which the state is to go on knowing what was read
	renewed    []state.ReadDump // the same content under another ETag
	oldMapping *identity.Closure
	remap      bool
	touched    []touchedFile
	partial    []int    // sinks, as in old.Sinks, that no longer hold what was written
	missing    []int    // those of which a file is gone, once for each
	lostIn     []string // roots of sinks that are said to be lost, where it is written anew
	mends      bool     // damage makes the table be rebuilt, not its configuration
	// repair says why -repair rebuilds the table without trusting anything of its old
	// content; empty if that is not what is planned. old has then the dumps that the
	// sinks name, too, and left the files to replace.
	repair         string
	left           []state.Step
	stand          *mappingStand // of a state that is made anew: the mapping where the lake has the table
	mappingInFiles *int64        // of user_migrations: the newest mapping that the files to replace show
	// rewrite says why -repair writes the table anew from the rows that it has, empty
	// if it does not; dropped are the objects that it does without.
	rewrite string
	dropped []string
	keeping []string // how to keep what Destroys names
	// outdated says that the table was written under older rules. It is not held for
	// that; -repair rebuilds it when -target names it.
	outdated string
	readFrom int               // the sink, as in old.Sinks, that a rewrite reads
	unread   *Hold             // a file whose header would have told the columns
	marked   bool              // the marks of its folders are as good as new ones
	lost     *state.LostCommit // that the table's next commit makes good
	// heldFrom is the dump from which on a table that goes back is held, nil without
	// one: a resync that is taken back made it void.
	heldFrom  *int64
	rereads   int64              // bytes of applied dumps that a rebuild takes again
	committed bool               // by this apply
	known     []string           // delivered names that are known
	fields    map[int64][]string // by dump whose manifest has no columns: those of its files
	clash     string             // why it may not be written: its name or folder meets another's, or two globs tie for it
}

// Destructive reports whether the step replaces or removes what is there.
func (t *TablePlan) Destructive() bool {
	if t.Action == Destroy || t.Action == Rebuild || len(t.Destroys) > 0 {
		return true
	}
	if t.old == nil {
		return false
	}
	return slices.ContainsFunc(t.Dumps, func(d DumpStep) bool { return d.Resync })
}

// MappingPlan is what becomes of the user mapping.
type MappingPlan struct {
	From    *int64   `json:"from_dump"`
	To      *int64   `json:"to_dump"`
	Entries int      `json:"entries"`
	Merged  int      `json:"users_merged"`
	Parted  int      `json:"users_parted"`
	Notes   []string `json:"warnings,omitempty"`
}

// Plan says what an apply would do. It is a value of one moment; Apply refuses
// it when the state has moved on.
type Plan struct {
	Lineage   string       `json:"lineage"`
	Serial    uint64       `json:"serial"`
	Mapping   MappingPlan  `json:"mapping"`
	Tables    []*TablePlan `json:"tables"`
	Holds     []Hold       `json:"holds,omitempty"`
	Unclaimed []string     `json:"unclaimed,omitempty"`
	Notices   []string     `json:"notices,omitempty"`
	Recover   []string     `json:"recover,omitempty"` // tables whose commit an earlier apply left unfinished
	Accepted  []int64      `json:"accepted_manifests,omitempty"`
	Restated  []string     `json:"current_json,omitempty"` // sinks whose current.json is written again
	// AcceptedNow is what -accept lets through, by its name there.
	AcceptedNow []string `json:"accepted,omitempty"`
	// Forgotten are the sinks that an apply takes out of the state.
	Forgotten []ForgottenSink `json:"forgotten_sinks,omitempty"`
	// Moved are the sinks that an apply knows at another place.
	Moved []MovedSink `json:"moved_sinks,omitempty"`

	snap       *state.Snapshot
	listing    *dump.Listing
	newMapping *mappingRead // nil: as it is
	noMapping  bool         // the mapping is withdrawn and there is no other
	// goneMappings are the dumps of mappings that are lost by going back.
	goneMappings []int64
	// sameMapping is that of the state, where its files have other ETags now; nil
	// without such.
	sameMapping *state.Mapping
	mapping     *identity.Mapping
	closure     *identity.Closure
	standing    *state.Mapping // what tables will stand at; its Ref is set by apply when new
	// unreadable says why every table waits: the mapping that they are to stand at
	// cannot be read.
	unreadable *unreadable
	closures   map[string]*identity.Closure
	diags      hcl.Diagnostics
	// acceptedMappings are those that -accept lets through.
	acceptedMappings []mappingEntry
	// manifestsKept says that a commit of this plan has stored the listing, and
	// manifestsBad that what the state kept of it is damaged.
	manifestsKept, manifestsBad bool

	seen     seenFiles
	locked   bool                // the plan is for an apply
	lock     *state.Lock         // that it was made under; nil if none
	anew     bool                // it is of a state that is lost, see StateRebuild
	blind    bool                // what the sinks hold is not looked at
	inexact  bool                // no rows are decoded, whatever was asked for
	says     map[string]sinkSays // what the sinks of this state say, by root
	restated []restated
	names    named
}

// Counts returns the numbers of the plan's last line.
func (p *Plan) Counts() (add, change, destroy int) {
	for _, t := range p.Tables {
		switch t.Action {
		case Create:
			add++
		case Update, Rebuild, Forget:
			change++
		case Destroy:
			destroy++
		}
	}
	return add, change, destroy
}

// Changes reports whether an apply would do anything.
func (p *Plan) Changes() bool {
	a, c, d := p.Counts()
	return a+c+d > 0 || len(p.Recover)+len(p.Accepted)+len(p.Forgotten)+len(p.Moved)+len(p.Restated) > 0 || p.newMapping != nil || p.noMapping
}

// Close lets go of what the plan pins in the state.
func (p *Plan) Close() error { return p.snap.Close() }

// DiagnosticsError carries mistakes of the configuration that only the real
// tables show.
type DiagnosticsError struct{ Diags hcl.Diagnostics }

func (e *DiagnosticsError) Error() string { return e.Diags.Error() }

// PlanLocked is Plan for the holder of the lock, who is going to apply.
func (e *Engine) PlanLocked(ctx context.Context, l *state.Lock) (*Plan, error) {
	snap := e.loaded
	e.loaded = nil
	if snap == nil {
		var err error
		if snap, err = e.loadLocked(ctx, l); err != nil {
			return nil, err
		}
	}
	p, err := e.plan(ctx, &Plan{snap: snap, locked: true, lock: l, blind: e.opts.NoRefresh})
	if err == nil {
		l.Exceed(p.topCommit())
	}
	return p, err
}

func (e *Engine) plan(ctx context.Context, p *Plan) (_ *Plan, err error) {
	snap := p.snap
	p.Lineage, p.Serial = snap.Lineage, snap.Serial
	p.closures, p.says = map[string]*identity.Closure{}, map[string]sinkSays{}
	defer func() {
		if err != nil {
			err = errors.Join(err, snap.Close())
		}
	}()
	if err := errors.Join(e.store.CheckObjects(snap), e.moveSinks(ctx, p)); err != nil {
		return nil, err
	}
	if err := e.forgetSinks(p); err != nil {
		return nil, err
	}
	if err := e.listSource(ctx, p); err != nil {
		return nil, err
	}
	p.Notices = append(p.Notices, p.listing.Notices...)
	e.noteLater(p)
	for _, pub := range snap.Publishes {
		p.Recover = append(p.Recover, pub.Table)
	}
	if err := e.checkSinks(ctx, p); err != nil {
		return nil, err
	}
	if err := e.findGone(ctx, p); err != nil {
		return nil, err
	}
	e.holdManifests(p)
	if err := e.listRead(ctx, p); err != nil {
		return nil, err
	}
	if err := e.planMapping(ctx, p); err != nil {
		return nil, err
	}
	if err := e.planTables(ctx, p); err != nil {
		return nil, err
	}
	p.listRestated()
	if err := e.checkNames(ctx, p); err != nil {
		return nil, err
	}
	e.noteIneffective(p)
	p.noteOlderRules()
	e.namesWayPast(p.Holds)
	if p.diags.HasErrors() {
		return nil, &DiagnosticsError{config.Join(p.diags)}
	}
	return p, nil
}

// closureOf returns the closure of a mapping that the state keeps.
func (e *Engine) closureOf(ctx context.Context, p *Plan, ref state.Ref) (*identity.Closure, error) {
	if ref.IsZero() {
		return nil, nil
	}
	if c, ok := p.closures[ref.Digest]; ok {
		return c, nil
	}
	m, err := loadMapping(ctx, e.store, ref)
	if err != nil {
		return nil, err
	}
	p.closures[ref.Digest] = m.Closure()
	return p.closures[ref.Digest], nil
}
