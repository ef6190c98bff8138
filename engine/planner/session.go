package planner

import (
	"context"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/state"
)

// Session is a plan in the making, and what it is made of.
type Session struct {
	*Planner
	plan.Plan

	Drafts  []*Table        // those of Plan.Tables
	Snap    *state.Snapshot // the view of the state, with the places that sinks have
	loaded  *state.Snapshot // what Snap was before the plan was begun; nobody changes it
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
	// AcceptedDumps are full resyncs that -accept lets through.
	AcceptedDumps []AcceptedDump
	// ManifestsBad says that what the state kept of the listing is damaged.
	ManifestsBad bool

	Seen   *seenFiles  // part files that were looked at; nil before the first look
	Locked bool        // the plan is for an apply
	Lock   *state.Lock // that it was made under; nil if none
	Blind  bool        // what the sinks hold is not looked at
	// Distrusted are tables of which sink and state do not go together.
	Distrusted []string
	Heads      lake.Heads // what the sinks of this state say, by root
	// ToRestate are the tables of which sinks are to say again what the state does.
	ToRestate []restated
	maskKeys  maskKeys
	storedIn  map[string][]string // tables by the folder where their data lies
	// Names is what was found out about the names in the configuration.
	Names named
	// SavedDigests are the digests of tables in the saved plan that this one was derived
	// from again; nil if there is none. By these the tables' commits name the plan.
	SavedDigests map[string]string
}

// ForApply returns the session that one apply works on. What becomes of tables, of the view
// of the state and of the mapping meanwhile, as where a file turns out to be bad, leaves p
// as it was planned. Both share the tables for which there is nothing to do, and records,
// which nobody changes: who needs another one replaces it.
func (p *Session) ForApply() *Session {
	out := *p
	out.Snap = p.Snap.Fork(nil)
	out.Drafts = make([]*Table, len(p.Drafts))
	for i, t := range p.Drafts {
		if out.Drafts[i] = t; t.Action != plan.None || len(t.Renewed) > 0 {
			out.Drafts[i] = t.clone()
		}
	}
	if p.Standing != nil {
		standing := *p.Standing
		out.Standing = &standing
	}
	return &out
}

// Close releases what the plan pins in the state.
func (p *Session) Close() error { return p.loaded.Close() }

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
	p.Closures[ref.Digest] = m.Closure(p.Budget.Workers())
	return p.Closures[ref.Digest], nil
}

// Warnings are the diagnostics that only the real tables show and that do not
// keep the plan from being applied.
func (p *Session) Warnings() hcl.Diagnostics { return config.Join(p.Diags) }

// DiagnosticsError carries mistakes of the configuration that only the real
// tables show.
type DiagnosticsError struct{ Diags hcl.Diagnostics }

func (e *DiagnosticsError) Error() string { return e.Diags.Error() }

// unreadable is a mapping of the state that cannot be read. Nothing can be said of the
// tables that are to stand at it.
type unreadable struct {
	mapping *state.Mapping
	bad     *state.ObjectError
	way     string // out of it
}

// restated is a table of which a sink is to say again what the state does.
type restated struct {
	Root  string
	Table *state.Table
}

// AcceptedDump is a delivery that -accept lets through, with the digest of its entry.
type AcceptedDump struct {
	state.Delivery
	Digest string
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
