package health

import (
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/inspect"
	"reconcile/engine/plan"
)

// Health says how syncs and applies are doing at one moment.
type Health struct {
	Now time.Time
	// MaxAge is how old the last success, a manifest that is not applied and a hold may
	// be, and Basis where that comes from.
	MaxAge time.Duration
	Basis  Basis

	Sync     Sync
	Newest   *Delivered // the newest dump of the source; nil of an empty one
	Mapping  Mapping
	Tables   []Table // those that the configuration takes, by name
	Holds    []inspect.Hold
	Problems []Problem
	// Unjudged are checks that judged nothing of a table since they were declared.
	Unjudged []plan.Unjudged
	// Unfinished are the tables whose last commit is not wholly visible yet.
	Unfinished []string
}

// Basis says where a maximal age comes from.
type Basis string

// The bases.
const (
	Given   Basis = "given"        // the command says it
	NextDue Basis = "next_sync_at" // the last success says when the next one is due
	Default Basis = "default"
)

// Sync is what the vendor says of his syncs.
type Sync struct {
	Success *dump.SyncReport // the last one; nil if no report that was read tells of one
	Failure *dump.SyncReport // the last one after the success
	Read    int              // reports that were read
	All     int              // reports that there are
	Broken  []dump.BrokenReport
}

// Delivered is a dump, and when its manifest arrived.
type Delivered struct {
	Dump int64
	At   time.Time // zero where that is not known
}

// Mapping is the user mapping, which is no table of its own.
type Mapping struct {
	InForce *int64     // dump of the one that tables are to stand at; nil without any
	Last    *Delivered // the newest that was delivered
	// Waiting is the newest one where that is not in force yet.
	Waiting *Delivered
	Stopped *Stopped
}

// Table is how one table is doing.
type Table struct {
	Name   string
	Commit uint64 // 0 of a table that was never applied
	// Committed is when that was made; zero where that is not known.
	Committed time.Time
	// Last is the last delivery of the table; nil if the source and the state know none.
	Last *Delivered
	// Unapplied is how many delivered dumps it has not applied. Behind says that -target
	// left something else of it undone. Oldest is what arrived first of that.
	Unapplied int
	Behind    bool
	Oldest    *Delivered
	Mapping   *int64 // dump of the mapping that it stands at; nil if none
	Stopped   *Stopped
}

// Stopped says that a table no longer comes as it used to.
type Stopped struct {
	Missing int // newest dumps that do not bring it
	Usual   int // it came with one of so many, or more often
}

// Kind is what a problem is about.
type Kind string

// The kinds of problems.
const (
	Late       Kind = "late"        // no success for too long
	NoManifest Kind = "no_manifest" // a sync succeeded, and no manifest came
	Unapplied  Kind = "unapplied"   // a manifest is old, and tables have not applied it
	Held       Kind = "held"        // something is held for too long
	Stale      Kind = "freshness"   // a table had no delivery for longer than a check allows
)

// Problem is a limit that is passed.
type Problem struct {
	Kind   Kind
	Tables []string      // that it is about, if it is about tables
	Check  string        // the check that sets the limit, if one does
	Dump   *int64        // that it is about, if it is about one
	Since  time.Time     // from when on the age counts; zero if it never was
	Age    time.Duration // 0 if it never was
	Limit  time.Duration
	Hold   *plan.Hold // of a hold
	Report *dump.SyncReport
}

// Limit is how old the last delivery of a table may be, as a check says.
type Limit struct {
	Check  string
	Table  string
	MaxAge time.Duration
}
