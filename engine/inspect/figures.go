package inspect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"reconcile/internal/feed"
	"reconcile/state"
)

// Figures are what one watches of a state: how much its tables hold, how new that is, and
// what waits.
type Figures struct {
	Lineage string // empty when nothing was ever applied
	Serial  uint64
	Tables  []TableFigures // by name
	Holds   []Hold
}

// TableFigures are those of one table.
type TableFigures struct {
	Name        string
	Rows        int64
	Hidden      int64 // kept in the state only
	Quarantined int64
	Files       int
	Bytes       int64 // of the files
	Commit      uint64
	Committed   time.Time // zero where that is not known, as the times below
	// Dump is the last delivery that the table has, Arrived when its manifest came.
	Dump    int64
	Arrived time.Time
	// MappingLag is how long before the mapping in force that one came at which the table
	// stands; nil where that is not known.
	MappingLag *time.Duration
	// Waiting is how many dumps the last apply saw that the table has not applied.
	Waiting int
}

// Figures reads them. Like Show it reads the state only.
func (r *Reader) Figures(ctx context.Context) (_ *Figures, err error) {
	snap, err := r.Store.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	r.Declared.ResolveRoots(snap)
	out := &Figures{Lineage: snap.Lineage, Serial: snap.Serial, Holds: Holds(snap)}
	waiting := map[string]int{}
	for _, w := range snap.Waiting.Tables {
		waiting[w.Table] = w.Unapplied
	}
	for _, name := range slices.Sorted(maps.Keys(snap.Tables)) {
		t := snap.Tables[name]
		shown := showTable(t, snap.Partitions[name])
		f := TableFigures{Name: name, Rows: t.Rows, Hidden: shown.Hidden, Quarantined: shown.Quarantined, Commit: t.Commit, Committed: state.Time(t.Committed),
			Dump: t.LastDelivery, Arrived: arrivedAt(snap, t.LastDelivery), MappingLag: mappingLag(snap, t), Waiting: waiting[name]}
		for _, s := range shown.Sinks {
			f.Files, f.Bytes = f.Files+s.Files, f.Bytes+s.Bytes
		}
		out.Tables = append(out.Tables, f)
	}
	return out, nil
}

func mappingLag(snap *state.Snapshot, t *state.Table) *time.Duration {
	lag := time.Duration(0)
	switch m := snap.Mapping; {
	case t.Kind == feed.KindMapping || m == nil && !t.HasMapping:
		return &lag
	case m == nil || !t.HasMapping:
		return nil
	case m.Dump != t.MappingDump:
		from, to := arrivedAt(snap, t.MappingDump), arrivedAt(snap, m.Dump)
		if from.IsZero() || to.IsZero() {
			return nil
		}
		lag = max(0, to.Sub(from))
	}
	return &lag
}
