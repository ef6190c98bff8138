package rebuild

import (
	"fmt"
	"strings"

	"reconcile/engine/planner"
	"reconcile/engine/published"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// Plan says how a state is rebuilt. It is a value of one moment; Rebuild
// carries it out.
type Plan struct {
	State   string
	Lineage string
	// Damage is what is wrong with the state; empty if there is none.
	Damage string
	Tables []*Table
	// Left are tables that the lake has and no block of the configuration takes.
	Left []string

	plan   *planner.Session
	above  uint64 // what serials have to exceed
	stands map[int64]*stand
	empty  []*published.Table // that hold nothing, and of which nothing tells what they are
}

// Table is what becomes of one table.
type Table struct {
	Name    string
	Commit  uint64 // that the lake has it at
	Dumps   []int64
	Mapping *int64
	// Incomplete says that the lake was between two commits.
	Incomplete bool
	Files      int   // that it has in the lake
	Bytes      int64 // of the source
	// Lost are dumps that the source does not have any more, or not whole.
	Lost        []LostDump
	LostMapping *int64

	plan      *planner.Table
	published []published.File
	from      string          // the sink whose rows stand in for what is gone
	columns   []column.Column // of the published files
}

// LostDump is a dump that cannot be read again.
type LostDump struct {
	Dump   int64
	Reason string // empty: it is gone
}

// lostText names what is lost of a table.
func (t *Table) lostText() string {
	var out []string
	for _, d := range t.Lost {
		text := fmt.Sprintf("dump %d", d.Dump)
		if d.Reason != "" {
			text += " (" + d.Reason + ")"
		}
		out = append(out, text)
	}
	if t.LostMapping != nil {
		out = append(out, fmt.Sprintf("the user mapping of dump %d", *t.LostMapping))
	}
	return strings.Join(out, ", ")
}

// Losses says what of a table does not come back, a line each.
func (t *Table) Losses() []string {
	if len(t.Lost) == 0 && t.LostMapping == nil {
		return nil
	}
	out := []string{"the source no longer has " + t.lostText()}
	switch {
	case t.LostMapping != nil && t.plan.Kind == feed.KindMapping:
		out = append(out, "the published rows stand in for it; what does not come back: its quarantine")
	case t.LostMapping != nil:
		out = append(out, "published rows tell whom users stand for; what does not come back: that of users without rows, unless user_migrations are published")
	}
	if len(t.Lost) == 0 {
		return out
	}
	switch t.plan.Kind {
	case feed.KindEvents:
		out = append(out, "published rows stand in for theirs; what does not come back: rows that merged users hide, and the quarantine of these dumps")
	case feed.KindUsers:
		out = append(out, "published rows stand in for theirs; what does not come back: the members behind each of these rows, and the quarantine of these dumps")
	}
	return out
}

// Bytes is how much of the source is read.
func (sr *Plan) Bytes() int64 {
	n := int64(0)
	for _, t := range sr.Tables {
		n += t.Bytes
	}
	return n
}

// MappingEntries is how many entries the mappings have that tables stand at.
func (sr *Plan) MappingEntries() int {
	n := 0
	for _, s := range sr.stands {
		if s != nil {
			n += s.read.Mapping.Len()
		}
	}
	return n
}
