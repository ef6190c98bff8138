package planner

import (
	"slices"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/internal/feed"
	"reconcile/state"
)

// Options are what a command asks of a plan, beyond the configuration.
type Options struct {
	Targets   []string // addresses, as "table.checkout"; empty for all
	NoRefresh bool     // do not compare the sinks with the state
	// RefreshOnly compares the sinks with the state, and reads no source.
	RefreshOnly bool
	Inputs      bool // take the inputs of each table, which its digest needs
	// OnlyDumps are those that count, as if no other had arrived; nil for all. A plan is
	// derived again with those that it had.
	OnlyDumps      map[int64]bool
	AcceptManifest []int64  // changed manifests to take
	Accept         []string // what guards hold and is to be let through, as holds name it
	AcceptLoss     []string // tables that may lose rows whose dumps are gone
	ForgetSinks    []string // paths of sinks that the state is to forget
	SinksLost      []string // paths of sinks that are not there and are to be rewritten
	MovedSinks     []string // OLD=NEW: paths of sinks that lie elsewhere
	Repair         bool     // rebuild tables of which nothing can be trusted
	ConfigOnly     bool     // what the configuration changes, and nothing that is pending
	Replace        []string // addresses of tables to rebuild although nothing has changed
	// ReplacedBy are the digests of tables in the saved plan that asks for that: one whose
	// last commit bears its digest was replaced by that very plan.
	ReplacedBy map[string]string
}

// Request is what a plan is to be made for: the configuration, and what the command asks
// beyond it. It is not changed once it is made.
type Request struct {
	Config *config.Config
	Options
	// GuardFrom is how many ids a mapping must have for the guard to judge others by it; 0
	// for the default.
	GuardFrom int
}

// Counts reports whether a dump is one of those that the plan is to be of.
func (q *Request) Counts(id int64) bool { return q.OnlyDumps == nil || q.OnlyDumps[id] }

// Later reports whether a dump is above until_dump.
func (q *Request) Later(id int64) bool {
	until := q.Config.Source.UntilDump
	return until != nil && id > *until
}

// goesBack lists the applied dumps of a table that are above until_dump.
func (q *Request) goesBack(old *state.Table) []int64 {
	if old == nil || q.Config.Source.UntilDump == nil {
		return nil
	}
	var out []int64
	for _, a := range old.Applied {
		if q.Later(a.Dump) {
			out = append(out, a.Dump)
		}
	}
	return out
}

// Skipped reports whether a skip_dump block leaves a table out of a dump.
func (q *Request) Skipped(id int64, table string) bool {
	for _, s := range q.Config.Skips {
		if s.Dump == id && slices.ContainsFunc(s.Tables, func(t string) bool { return t == table || t == "*" }) {
			return true
		}
	}
	return false
}

// LeftOut reports whether the configuration leaves a table out of a dump: the dump is
// skipped, or above until_dump.
func (q *Request) LeftOut(id int64, table string) bool { return q.Later(id) || q.Skipped(id, table) }

// Withdrawn reports whether a dump that a table took no longer brings it: it is left out,
// or an accepted manifest does not list the table any more. A dump that is gone from the
// source is not withdrawn.
func (q *Request) Withdrawn(l *dump.Listing, id int64, table string) bool {
	d := l.Dump(id)
	return q.LeftOut(id, table) || d != nil && d.Entry(table) == nil
}

// Targeted reports whether the command is about a table.
func (q *Request) Targeted(name string) bool {
	return len(q.Targets) == 0 || slices.Contains(q.Targets, "table."+name)
}

// repairs reports whether a table that is held for -repair is rebuilt.
func (q *Request) repairs(table string) bool { return q.Repair && q.Targeted(table) }

// AcceptsLoss reports whether a table may lose rows whose dumps are gone.
func (q *Request) AcceptsLoss(table string) bool { return slices.Contains(q.AcceptLoss, table) }

// TakesEvents reports whether a table would be taken if it delivered events.
func (q *Request) TakesEvents(name string) bool {
	if name == feed.TableUsers || name == feed.TableMapping || q.Config.Ignored(name) {
		return false
	}
	cfg, _ := q.Config.Table(name, []string{feed.UserID, feed.EventID})
	return cfg != nil
}
