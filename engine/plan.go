package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// TablePlan is the plan of one table in the making, and what it is made of.
type TablePlan struct {
	plan.Table

	cfg        *definition.Table
	kind, key  string
	old        *state.Table
	parts      []*state.Partition
	pending    []delivery
	all        []delivery          // every delivery in the source, for a rebuild
	bad        map[int64]plan.Hold // deliveries that cannot be taken, void ones too
	resync     int64               // the newest full resync among the dumps that it has and keeps
	floor      int64               // the newest full resync among these and the pending dumps
	compared   map[int64]bool      // dumps of which the state is to go on knowing what was read
	renewed    []state.ReadDump    // the same content under another ETag
	oldMapping *identity.Closure
	remap      bool
	touched    []touchedFile
	partial    []int        // sinks, as in old.Sinks, that no longer hold what was written
	missing    []state.File // files that are gone from their sinks
	lostIn     []string     // roots of sinks that are said to be lost, where it is written anew
	mends      bool         // damage makes the table be rebuilt, not its configuration
	// repair says why -repair rebuilds the table without trusting anything of its old
	// content; empty if that is not what is planned. old has then the dumps that the
	// sinks name, too, and left the files to replace.
	repair         string
	left           []state.Step
	stand          *mappingAt // of a state that is made anew: the mapping where the lake has the table
	mappingInFiles *int64     // of user_migrations: the newest mapping that the files to replace show
	// rewrite says why -repair writes the table anew from the rows that it has, empty
	// if it does not; dropped are the objects that it does without.
	rewrite string
	dropped []string
	// outdated says that the table was written under older rules. It is not held for
	// that; -repair rebuilds it when -target names it.
	outdated string
	readFrom int               // the sink, as in old.Sinks, that a rewrite reads
	unread   *plan.Hold        // a file whose header would have told the columns
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

// Plan is a plan in the making, and what it is made of.
type Plan struct {
	*Planner
	plan.Plan

	tables     []*TablePlan // those of Plan.Tables
	snap       *state.Snapshot
	listing    *dump.Listing
	newMapping *mappingRead // nil: as it is
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
	locked   bool        // the plan is for an apply
	lock     *state.Lock // that it was made under; nil if none
	anew     bool        // it is of a state that is lost, see StateRebuild
	blind    bool        // what the sinks hold is not looked at
	says     lake.Heads  // what the sinks of this state say, by root
	restated []restated
	names    named
}

// Close lets go of what the plan pins in the state.
func (p *Plan) Close() error { return p.snap.Close() }

// DiagnosticsError carries mistakes of the configuration that only the real
// tables show.
type DiagnosticsError struct{ Diags hcl.Diagnostics }

func (e *DiagnosticsError) Error() string { return e.Diags.Error() }

func makePlan(ctx context.Context, p *Plan) (_ *Plan, err error) {
	snap := p.snap
	p.Lineage, p.Serial, p.Unchecked = snap.Lineage, snap.Serial, p.blind
	p.closures, p.says = map[string]*identity.Closure{}, lake.Heads{}
	defer func() {
		if err != nil {
			err = errors.Join(err, snap.Close())
		}
	}()
	if err := errors.Join(p.objects.CheckObjects(snap), moveSinks(ctx, p)); err != nil {
		return nil, err
	}
	if err := forgetSinks(p); err != nil {
		return nil, err
	}
	if err := listSource(ctx, p); err != nil {
		return nil, err
	}
	p.Notices = append(p.Notices, p.listing.Notices...)
	noteLater(p)
	for _, pub := range snap.Publishes {
		p.Recover = append(p.Recover, pub.Table)
	}
	if err := checkSinks(ctx, p); err != nil {
		return nil, err
	}
	if err := findGone(ctx, p); err != nil {
		return nil, err
	}
	holdManifests(p)
	if err := listRead(ctx, p); err != nil {
		return nil, err
	}
	if err := planMapping(ctx, p); err != nil {
		return nil, err
	}
	if err := planTables(ctx, p); err != nil {
		return nil, err
	}
	p.listRestated()
	if err := checkNames(ctx, p); err != nil {
		return nil, err
	}
	noteIneffective(p)
	p.noteOlderRules()
	namesWayPast(p.ask.Config, p.Holds)
	if p.diags.HasErrors() {
		return nil, &DiagnosticsError{config.Join(p.diags)}
	}
	if p.ask.Inputs {
		if err := describeInputs(ctx, p); err != nil {
			return nil, err
		}
	}
	p.describeTables()
	return p, nil
}

// describeTables makes the plan's value of what was planned of each table. What an apply
// does to its own view of a table leaves the value as it is.
func (p *Plan) describeTables() {
	for _, t := range p.tables {
		t.Steps = t.steps()
		p.Tables = append(p.Tables, t.Clone())
	}
}

// steps lists the commits that an apply makes of the table.
func (t *TablePlan) steps() []plan.Step {
	var out []plan.Step
	switch t.Action {
	case plan.None:
		return nil
	case plan.Destroy, plan.Forget:
		return []plan.Step{{Kind: plan.StepRemove}}
	}
	if t.old != nil && t.Change.Class != plan.ClassNone {
		s := plan.Step{Kind: plan.StepChange, Class: t.Change.Class, Repair: t.repair != ""}
		if s.Class == plan.ClassRewrite && t.kind == feed.KindEvents {
			s.ReadFrom = t.old.Sinks[t.readFrom].Root
		}
		out = append(out, s)
	}
	if len(t.pending) > 0 || t.remap || t.old == nil {
		out = append(out, plan.Step{Kind: plan.StepTake})
	}
	return out
}

// closureOf returns the closure of a mapping that the state keeps.
func (p *Plan) closureOf(ctx context.Context, ref state.Ref) (*identity.Closure, error) {
	if ref.IsZero() {
		return nil, nil
	}
	if c, ok := p.closures[ref.Digest]; ok {
		return c, nil
	}
	m, err := loadMapping(ctx, p.objects, ref)
	if err != nil {
		return nil, err
	}
	p.closures[ref.Digest] = m.Closure()
	return p.closures[ref.Digest], nil
}

// Warnings are the diagnostics that only the real tables show and that do not
// keep the plan from being applied.
func (p *Plan) Warnings() hcl.Diagnostics { return config.Join(p.diags) }

// asTheStateSays reports whether a plan met nothing that a commit beside it could be the
// reason of.
func (p *Plan) asTheStateSays() bool {
	return len(p.Holds)+len(p.Restated)+len(p.Recover) == 0 && !slices.ContainsFunc(p.tables, func(t *TablePlan) bool {
		return len(t.Drift) > 0 || len(t.Removes) > 0 || len(t.touched) > 0 || t.lost != nil || t.Action == plan.Rebuild
	})
}
