package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/state"
)

// Shown is what the state says is applied, at one moment. It names no secret.
type Shown struct {
	State      string       `json:"state"`             // path of the state file
	Lineage    string       `json:"lineage,omitempty"` // empty when nothing was ever applied
	Serial     uint64       `json:"serial"`
	Program    string       `json:"program,omitempty"` // version that wrote last
	Mapping    *ShownMap    `json:"mapping"`           // nil when no mapping was read yet
	Tables     []ShownTable `json:"tables"`            // by name
	Holds      []Hold       `json:"holds,omitempty"`
	Unfinished []string     `json:"unfinished,omitempty"` // tables whose commit is not wholly visible yet
}

// ShownMap is the newest user mapping that was read.
type ShownMap struct {
	Dump    int64 `json:"dump"`
	Entries int64 `json:"entries"`
}

// ShownTable is one table as it stands.
type ShownTable struct {
	Name        string        `json:"name"`
	Kind        string        `json:"kind"` // "events", "users" or "mapping"
	Key         string        `json:"key,omitempty"`
	Commit      uint64        `json:"commit"` // serial of its last commit
	Dumps       []int64       `json:"dumps"`
	Skipped     []int64       `json:"skipped_dumps,omitempty"`
	Lost        []int64       `json:"lost_dumps,omitempty"` // a rebuild went on without them
	Mapping     *int64        `json:"mapping_dump"`         // nil when it stands at no mapping
	PartitionBy string        `json:"partition_by"`
	Partitions  int           `json:"partitions"`
	Rows        int64         `json:"rows"`
	Hidden      int64         `json:"hidden_rows"` // kept in the state only: another row of their key is published
	Quarantined int64         `json:"quarantined_rows"`
	Columns     []ShownColumn `json:"columns"`
	Sinks       []ShownSink   `json:"sinks"`
	Warnings    []string      `json:"warnings,omitempty"`
}

// ShownColumn is one column beside the table's keys and ours.
type ShownColumn struct {
	Name      string `json:"name"`
	Delivered string `json:"delivered"`
	Type      string `json:"type"`
	Since     int64  `json:"since_dump,omitempty"`
	Mask      string `json:"mask,omitempty"` // the method
	// Spellings are the other names under which it was delivered.
	Spellings []string `json:"spellings,omitempty"`
}

// ShownSink is where a sink holds a table.
type ShownSink struct {
	Root   string `json:"root"`
	Folder string `json:"folder"`
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
}

// Show says what is applied. It reads the state only, neither the source nor a
// sink, and waits for no apply.
func (e *Engine) Show(ctx context.Context) (_ *Shown, err error) {
	snap, err := e.store.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	e.resolveRoots(snap)
	s := &Shown{State: e.store.Place(), Lineage: snap.Lineage, Serial: snap.Serial, Program: snap.Program, Tables: []ShownTable{}}
	if m := snap.Mapping; m != nil {
		s.Mapping = &ShownMap{Dump: m.Dump, Entries: m.Ref.Rows}
	}
	for _, name := range sortedKeys(snap.Tables) {
		s.Tables = append(s.Tables, showTable(snap.Tables[name], snap.Partitions[name]))
	}
	for _, h := range snap.Holds {
		if lost(snap.Tables[h.Table], h.Dump) {
			continue
		}
		s.Holds = append(s.Holds, shownHold(h))
	}
	e.namesWayPast(s.Holds)
	for _, p := range snap.Publishes {
		s.Unfinished = append(s.Unfinished, p.Table)
	}
	return s, nil
}

// shownHold is what the state remembers of a hold.
func shownHold(h Hold) Hold {
	if h.Object != "" {
		return Hold{Table: h.Table, Object: h.Object, Reason: fmt.Sprintf("object %s of the state cannot be read: %s", h.Object, h.Reason)}
	}
	if h.Guard != "" {
		h.Accept = acceptName(h.Table, h.Dump)
	}
	return h
}

// lost reports whether a rebuild of the table went on without a dump.
func lost(t *state.Table, dump int64) bool {
	return t != nil && slices.ContainsFunc(t.Applied, func(a state.Applied) bool { return a.Lost && a.Dump == dump })
}

func showTable(t *state.Table, parts []*state.Partition) ShownTable {
	out := ShownTable{Name: t.Name, Kind: t.Kind, Key: t.Key, Commit: t.Commit, PartitionBy: t.PartitionBy,
		Partitions: len(parts), Rows: t.Rows, Dumps: []int64{}, Columns: []ShownColumn{}, Warnings: t.Warnings}
	for _, a := range t.Applied {
		switch {
		case a.Lost:
			out.Lost = append(out.Lost, a.Dump)
		case a.Skipped:
			out.Skipped = append(out.Skipped, a.Dump)
		default:
			out.Dumps = append(out.Dumps, a.Dump)
		}
	}
	if t.HasMapping {
		out.Mapping = &t.MappingDump
	}
	for _, q := range t.Quarantine {
		out.Quarantined += q.Ref.Rows
	}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, ShownColumn{Name: c.Name, Delivered: c.Delivered, Type: c.Type, Since: c.Since, Mask: c.Mask, Spellings: c.Spellings})
	}
	for _, s := range t.Sinks {
		out.Sinks = append(out.Sinks, ShownSink{Root: s.Root, Folder: s.Folder})
	}
	for _, p := range parts {
		out.Hidden += p.Shadow.Rows
		for _, f := range p.Files {
			if f.Sink < len(out.Sinks) {
				out.Sinks[f.Sink].Files++
				out.Sinks[f.Sink].Bytes += f.Size
			}
		}
	}
	return out
}

// Warnings are the diagnostics that only the real tables show and that do not
// keep the plan from being applied.
func (p *Plan) Warnings() hcl.Diagnostics { return config.Join(p.diags) }
