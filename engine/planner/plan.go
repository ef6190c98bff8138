package planner

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

// Table is the plan of one table in the making, and what it is made of.
type Table struct {
	plan.Table

	Definition *definition.Table
	Kind, Key  string
	Old        *state.Table
	Parts      []*state.Partition
	Pending    []Delivery
	All        []Delivery          // every delivery in the source, for a rebuild
	Bad        map[int64]plan.Hold // deliveries that cannot be taken, void ones too
	resync     int64               // the newest full resync among the dumps that it has and keeps
	Floor      int64               // the newest full resync among these and the pending dumps
	Compared   map[int64]bool      // dumps of which the state is to go on knowing what was read
	Renewed    []state.ReadDump    // the same content under another ETag
	oldMapping *identity.Closure
	Remap      bool
	touched    []touchedFile
	partial    []int        // sinks, as in old.Sinks, that no longer hold what was written
	missing    []state.File // files that are gone from their sinks
	lostIn     []string     // roots of sinks that are said to be lost, where it is written anew
	mends      bool         // damage makes the table be rebuilt, not its configuration
	// Repair says why -repair rebuilds the table without trusting anything of its old
	// content; empty if that is not what is planned. old has then the dumps that the
	// sinks name, too, and left the files to replace.
	Repair         string
	Left           []state.Step
	Stand          *MappingAt // of a state that is made anew: the mapping where the lake has the table
	mappingInFiles *int64     // of user_migrations: the newest mapping that the files to replace show
	// Rewrite says why -repair writes the table anew from the rows that it has, empty
	// if it does not; dropped are the objects that it does without.
	Rewrite string
	Dropped []string
	// outdated says that the table was written under older rules. It is not held for
	// that; -repair rebuilds it when -target names it.
	outdated   string
	ReadFrom   int               // the sink, as in old.Sinks, that a rewrite reads
	unread     *plan.Hold        // a file whose header would have told the columns
	Marked     bool              // the marks of its folders are as good as new ones
	LostCommit *state.LostCommit // that the table's next commit makes good
	// HeldFrom is the dump from which on a table that goes back is held, nil without
	// one: a resync that is taken back made it void.
	HeldFrom  *int64
	rereads   int64              // bytes of applied dumps that a rebuild takes again
	Committed bool               // by this apply
	Known     []string           // delivered names that are known
	fields    map[int64][]string // by dump whose manifest has no columns: those of its files
	clash     string             // why it may not be written: its name or folder meets another's, or two globs tie for it
}

// Session is a plan in the making, and what it is made of.
type Session struct {
	*Planner
	plan.Plan

	Drafts     []*Table // those of Plan.Tables
	Snap       *state.Snapshot
	Listing    *dump.Listing
	NewMapping *MappingRead // nil: as it is
	// SameMapping is that of the state, where its files have other ETags now; nil
	// without such.
	SameMapping     *state.Mapping
	StandingMapping *identity.Mapping
	Closure         *identity.Closure
	Standing        *state.Mapping // what tables will stand at; its Ref is set by apply when new
	// unreadable says why every table waits: the mapping that they are to stand at
	// cannot be read.
	unreadable *unreadable
	Closures   map[string]*identity.Closure
	Diags      hcl.Diagnostics
	// AcceptedMappings are those that -accept lets through.
	AcceptedMappings []mappingEntry
	// ManifestsKept says that a commit of this plan has stored the listing, and
	// ManifestsBad that what the state kept of it is damaged.
	ManifestsKept, ManifestsBad bool

	Seen      seenFiles
	Locked    bool        // the plan is for an apply
	Lock      *state.Lock // that it was made under; nil if none
	Anew      bool        // it is of a state that is lost, see StateRebuild
	Blind     bool        // what the sinks hold is not looked at
	Heads     lake.Heads  // what the sinks of this state say, by root
	ToRestate []restated
	Names     named
}

// Close lets go of what the plan pins in the state.
func (p *Session) Close() error { return p.Snap.Close() }

// DiagnosticsError carries mistakes of the configuration that only the real
// tables show.
type DiagnosticsError struct{ Diags hcl.Diagnostics }

func (e *DiagnosticsError) Error() string { return e.Diags.Error() }

func MakePlan(ctx context.Context, p *Session) (_ *Session, err error) {
	snap := p.Snap
	p.Lineage, p.Serial, p.Unchecked = snap.Lineage, snap.Serial, p.Blind
	p.Closures, p.Heads = map[string]*identity.Closure{}, lake.Heads{}
	defer func() {
		if err != nil {
			err = errors.Join(err, snap.Close())
		}
	}()
	if err := errors.Join(p.Objects.CheckObjects(snap), moveSinks(ctx, p)); err != nil {
		return nil, err
	}
	if err := forgetSinks(p); err != nil {
		return nil, err
	}
	if err := ListSource(ctx, p); err != nil {
		return nil, err
	}
	p.Notices = append(p.Notices, p.Listing.Notices...)
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
	HoldManifests(p)
	if err := ListRead(ctx, p); err != nil {
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
	NamesWayPast(p.Ask.Config, p.Holds)
	if p.Diags.HasErrors() {
		return nil, &DiagnosticsError{config.Join(p.Diags)}
	}
	if p.Ask.Inputs {
		if err := describeInputs(ctx, p); err != nil {
			return nil, err
		}
	}
	p.describeTables()
	return p, nil
}

// describeTables makes the plan's value of what was planned of each table. What an apply
// does to its own view of a table leaves the value as it is.
func (p *Session) describeTables() {
	for _, t := range p.Drafts {
		t.Steps = t.steps()
		p.Tables = append(p.Tables, t.Clone())
	}
}

// steps lists the commits that an apply makes of the table.
func (t *Table) steps() []plan.Step {
	var out []plan.Step
	switch t.Action {
	case plan.None:
		return nil
	case plan.Destroy, plan.Forget:
		return []plan.Step{{Kind: plan.StepRemove}}
	}
	if t.Old != nil && t.Change.Class != plan.ClassNone {
		s := plan.Step{Kind: plan.StepChange, Class: t.Change.Class, Repair: t.Repair != ""}
		if s.Class == plan.ClassRewrite && t.Kind == feed.KindEvents {
			s.ReadFrom = t.Old.Sinks[t.ReadFrom].Root
		}
		out = append(out, s)
	}
	if len(t.Pending) > 0 || t.Remap || t.Old == nil {
		out = append(out, plan.Step{Kind: plan.StepTake})
	}
	return out
}

// ClosureOf returns the closure of a mapping that the state keeps.
func (p *Session) ClosureOf(ctx context.Context, ref state.Ref) (*identity.Closure, error) {
	if ref.IsZero() {
		return nil, nil
	}
	if c, ok := p.Closures[ref.Digest]; ok {
		return c, nil
	}
	m, err := LoadMapping(ctx, p.Objects, ref)
	if err != nil {
		return nil, err
	}
	p.Closures[ref.Digest] = m.Closure()
	return p.Closures[ref.Digest], nil
}

// Warnings are the diagnostics that only the real tables show and that do not
// keep the plan from being applied.
func (p *Session) Warnings() hcl.Diagnostics { return config.Join(p.Diags) }

// AsTheStateSays reports whether a plan met nothing that a commit beside it could be the
// reason of.
func (p *Session) AsTheStateSays() bool {
	return len(p.Holds)+len(p.Restated)+len(p.Recover) == 0 && !slices.ContainsFunc(p.Drafts, func(t *Table) bool {
		return len(t.Drift) > 0 || len(t.Removes) > 0 || len(t.touched) > 0 || t.LostCommit != nil || t.Action == plan.Rebuild
	})
}
