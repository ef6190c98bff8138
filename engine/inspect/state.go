// Package inspect shows what a state says: its tables, their files, what is held, and the
// rows in the quarantine. It waits for no apply and writes nothing, and it reads neither
// the source nor a sink.
package inspect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"reconcile/config"
	"reconcile/engine/lake"
	"reconcile/state"
)

// Reader reads the state of a configuration.
type Reader struct {
	Config   *config.Config
	Store    *state.Store
	Declared *lake.Declared
}

// State is what the state says is applied, at one moment. It names no secret.
type State struct {
	State      string // path of the state file
	Lineage    string // empty when nothing was ever applied
	Serial     uint64
	Program    string   // version that wrote last
	Mapping    *Mapping // nil when no mapping was read yet
	Tables     []Table  // by name
	Holds      []Hold
	Unfinished []string // tables whose commit is not wholly visible yet
}

// Mapping is the newest user mapping that was read.
type Mapping struct {
	Dump    int64
	Entries int64
}

// Table is one table as it stands.
type Table struct {
	Name        string
	Kind        string // "events", "users" or "mapping"
	Key         string
	Commit      uint64    // serial of its last commit
	Committed   time.Time // when that was made; zero where that is not known
	Dumps       []int64
	Skipped     []int64
	Lost        []int64 // a rebuild went on without them
	Mapping     *int64  // nil when it stands at no mapping
	PartitionBy string
	Partitions  int
	Rows        int64
	Hidden      int64 // kept in the state only: another row of their key is published
	Quarantined int64
	Columns     []Column
	Sinks       []Sink
}

// Column is one column beside the table's keys and ours.
type Column struct {
	Name      string
	Delivered string
	Type      string
	Since     int64
	Mask      string // the method
	// Spellings are the other names under which it was delivered.
	Spellings []string
}

// Sink is where a sink holds a table.
type Sink struct {
	Root   string
	Folder string
	Files  int
	Bytes  int64
}

// Show says what is applied. It reads the state only, neither the source nor a
// sink, and waits for no apply.
func (r *Reader) Show(ctx context.Context) (_ *State, err error) {
	snap, err := r.Store.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	r.Declared.ResolveRoots(snap)
	s := &State{State: r.Store.Place(), Lineage: snap.Lineage, Serial: snap.Serial, Program: snap.Program, Tables: []Table{}}
	if m := snap.Mapping; m != nil {
		s.Mapping = &Mapping{Dump: m.Dump, Entries: m.Ref.Rows}
	}
	for _, name := range slices.Sorted(maps.Keys(snap.Tables)) {
		s.Tables = append(s.Tables, showTable(snap.Tables[name], snap.Partitions[name]))
	}
	s.Holds = Holds(snap)
	NameWaysPast(r.Config, s.Holds)
	for _, p := range snap.Publishes {
		s.Unfinished = append(s.Unfinished, p.Table)
	}
	return s, nil
}

func showTable(t *state.Table, parts []*state.Partition) Table {
	out := Table{Name: t.Name, Kind: t.Kind, Key: t.Key, Commit: t.Commit, Committed: state.Time(t.Committed), PartitionBy: t.PartitionBy,
		Partitions: len(parts), Rows: t.Rows, Dumps: []int64{}, Columns: []Column{}}
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
		out.Columns = append(out.Columns, Column{Name: c.Name, Delivered: c.Delivered, Type: c.Type, Since: c.Since, Mask: c.Mask, Spellings: c.Spellings})
	}
	for _, s := range t.Sinks {
		out.Sinks = append(out.Sinks, Sink{Root: s.Root, Folder: s.Folder})
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
