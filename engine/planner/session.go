package planner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/state"
)

// Session is a plan in the making, and what it is made of.
type Session struct {
	*Planner
	plan.Plan

	Drafts  []*Table        // those of Plan.Tables
	Snap    *state.Snapshot // the view of the state, with the places that sinks have
	Listing *dump.Listing   // of the source, without what does not count
	// NewMapping is the mapping that an apply stores; nil if none.
	NewMapping *MappingRead
	// SameMapping is that of the state, where its files have other ETags now; nil
	// without such.
	SameMapping *state.Mapping
	// Standing is the record of the mapping that tables are to stand at, nil for none, with
	// its entries and their closure. Where it is new, the apply that stores it fills in Ref.
	Standing        *state.Mapping
	StandingMapping *identity.Mapping
	Closure         *identity.Closure
	// unreadable says why every table waits: the mapping that they are to stand at
	// cannot be read.
	unreadable *unreadable
	// Closures are those of mappings that the state keeps, by the digest of their object.
	Closures map[string]*identity.Closure
	// Diags are mistakes of the configuration that only the real tables show.
	Diags hcl.Diagnostics
	// AcceptedMappings are those that -accept lets through.
	AcceptedMappings []mappingEntry
	// ManifestsKept says that a commit of this plan has stored the listing, and
	// ManifestsBad that what the state kept of it is damaged.
	ManifestsKept, ManifestsBad bool

	Seen   *seenFiles  // part files that were looked at; nil before the first look
	Locked bool        // the plan is for an apply
	Lock   *state.Lock // that it was made under; nil if none
	Anew   bool        // it is of a state that is lost and made anew
	Blind  bool        // what the sinks hold is not looked at
	Heads  lake.Heads  // what the sinks of this state say, by root
	// ToRestate are the tables of which sinks are to say again what the state does.
	ToRestate []restated
	// Names is what was found out about the names in the configuration.
	Names named
}

// ForApply returns the session that one apply works on. What becomes of tables and of the
// mapping meanwhile, as where a file turns out to be bad, leaves p as it was planned.
func (p *Session) ForApply() *Session {
	out := *p
	out.Drafts = make([]*Table, len(p.Drafts))
	for i, t := range p.Drafts {
		out.Drafts[i] = t.clone()
	}
	if p.Standing != nil {
		standing := *p.Standing
		out.Standing = &standing
	}
	return &out
}

// Close releases what the plan pins in the state.
func (p *Session) Close() error { return p.Snap.Close() }

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

// DiagnosticsError carries mistakes of the configuration that only the real
// tables show.
type DiagnosticsError struct{ Diags hcl.Diagnostics }

func (e *DiagnosticsError) Error() string { return e.Diags.Error() }

// Objects reads the objects of a state.
type Objects interface {
	// Place is where the state is, as messages name it.
	Place() string
	OpenObject(ctx context.Context, ref state.Ref) (*state.Object, error)
	// ObjectPin tells what stands where an object is from what stood there before.
	ObjectPin(ref state.Ref) string
	// CheckObjects fails if the objects of a view of the state cannot be looked for.
	CheckObjects(snap *state.Snapshot) error
}

// Planner is what plans are made from: what is asked for, and what may be read.
type Planner struct {
	Ask        *Request
	Source     *dump.Source
	Objects    Objects
	Lake       *lake.Lake
	Home       *lake.Home         // where the state is
	Declared   *lake.Declared     // the sinks of the configuration
	Unfinished *commit.Unfinished // tables whose last commits cannot be finished
	Mappings   MappingReader
	Budget     exec.Budget // of the apply, for estimates
	// Measure computes what the steps of a table come to, where exact figures are asked
	// for; nil where they are not.
	Measure func(ctx context.Context, p *Session, t *Table) error
}

// tagged reports whether the pins of the source are ETags.
func (r *Planner) tagged() bool { return r.Ask.Config.Source.S3 != nil }

// unreadable is a mapping of the state that cannot be read. Nothing can be said of the
// tables that are to stand at it.
type unreadable struct {
	mapping *state.Mapping
	bad     *state.ObjectError
	way     string // out of it
}

// seenFile is what is known of a part file, or why nothing is.
type seenFile struct {
	Obj blob.Object
	err error
}

// seenFiles are the part files that a plan has looked at, by key, and the
// folders of dumps that it has listed.
type seenFiles struct {
	mu     sync.Mutex
	Files  map[string]seenFile
	listed map[string]bool
}

// restated is a table of which a sink is to say again what the state does.
type restated struct {
	Root  string
	Table *state.Table
}

// mappingEntry is what one dump says of the mapping.
type mappingEntry struct {
	Dump  int64
	Entry *dump.Entry
}

// named is what a plan found out about the names in the configuration.
type named struct {
	tables []config.DeliveredTable
	held   []*dump.Dump // whose manifests changed after they were applied
	Judged []string     // digests of masks
}

// commitOf is the newest commit of a table that the state knows, that of a removal
// under way included.
func (p *Session) commitOf(table string) uint64 {
	commit := uint64(0)
	if t := p.Snap.Tables[table]; t != nil {
		commit = t.Commit
	}
	for _, x := range p.Snap.Publishes {
		if x.Table == table {
			commit = max(commit, x.Commit)
		}
	}
	return commit
}

// Publishing reports whether a commit of a table is still being made visible, or was
// given up for lost.
func (p *Session) Publishing(table string) bool {
	return p.Snap.Lost[table] != nil || slices.Contains(p.Recover, table)
}

// acceptedDumps lists the dumps of a table that were applied or accepted before.
func (p *Session) acceptedDumps(table string) []int64 {
	var out []int64
	for d := range p.Snap.Accepted {
		if d.Table == table {
			out = append(out, d.Dump)
		}
	}
	slices.Sort(out)
	return out
}

// MappingRead is a user mapping as one dump delivered it.
type MappingRead struct {
	Dump    int64
	Digest  string          // of the manifest's entry
	Unit    column.TimeUnit // of plain numbers that are times
	Mapping *identity.Mapping
	Report  *identity.Report
	Bad     int             // rows without both ids
	Read    *state.ReadDump // its files; nil if there are none
	// Kept is what the reader has of it beyond that, for who stores the mapping.
	Kept any
}

// MappingReader reads user mappings.
type MappingReader interface {
	// ReadMapping reads the complete mapping of one dump. It fails with a BadFileError
	// where a file cannot be used.
	ReadMapping(ctx context.Context, id int64, e *dump.Entry) (*MappingRead, error)
}

// MappingAt is a mapping that a table stands at whose state is made anew.
type MappingAt struct {
	Mapping  *identity.Mapping
	Closure  *identity.Closure
	Standing *state.Mapping
}

// LoadMapping reads a mapping that the state keeps; the zero Ref is the empty
// mapping.
func LoadMapping(ctx context.Context, store Objects, ref state.Ref) (_ *identity.Mapping, err error) {
	if ref.IsZero() {
		m, _ := identity.NewBuilder().Build()
		return m, nil
	}
	obj, err := store.OpenObject(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("the user mapping: %w", err)
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	m, err := identity.Decode(io.NewSectionReader(obj, 0, obj.Size()), obj.Size())
	if err != nil {
		return nil, fmt.Errorf("the user mapping: %w", obj.Damaged(err))
	}
	return m, nil
}
