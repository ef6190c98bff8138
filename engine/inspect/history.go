package inspect

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"reconcile/state"
)

// Commit is one commit of a table.
type Commit struct {
	Table string
	state.Commit
	At time.Time // zero where that is not known
}

// History is what the state remembers of commits.
type History struct {
	Commits []Commit // by their numbers
	Left    int      // earlier ones that are left out
	// Older are the tables of which earlier commits are not remembered, by name: they were
	// made by a version that kept no history, or are too many.
	Older []string
}

// History lists the commits of a table, or of all tables if it is empty. Like Show it reads
// the state only. Tables that the state no longer has are not in it.
func (r *Reader) History(ctx context.Context, table string) (*History, error) {
	out := &History{}
	return out, r.eachTable(ctx, table, func(_ *state.Snapshot, t *state.Table) error {
		commits, err := t.Commits()
		if err != nil {
			return err
		}
		first := state.CommitKind(0)
		if len(commits) > 0 {
			first = commits[0].Kind
		}
		if first != state.CommitCreate && first != state.CommitAnew {
			out.Older = append(out.Older, t.Name)
		}
		for _, c := range commits {
			out.Commits = append(out.Commits, Commit{t.Name, c, state.Time(c.At)})
		}
		slices.SortStableFunc(out.Commits, func(a, b Commit) int { return cmp.Compare(a.Serial, b.Serial) })
		return nil
	})
}

// ColumnChange is what became of a column of a table.
type ColumnChange struct {
	Table  string
	Column string
	Event  state.ColumnEvent
	// Dump is the one that brought the column, else the newest that the table had when it
	// changed. Arrived is when its manifest did, zero where that is not known.
	Dump    int64
	Arrived time.Time
	// Commit is the one that changed it, 0 for the first one of the table, or one that is
	// not known; At is when that was.
	Commit   uint64
	At       time.Time
	From, To string // types, or methods of masks
}

// SchemaHistory lists what became of the columns of a table, or of all tables if it is
// empty, by table and then in the order of the dumps and commits. Like Show it reads the
// state only.
func (r *Reader) SchemaHistory(ctx context.Context, table string) ([]ColumnChange, error) {
	var out []ColumnChange
	err := r.eachTable(ctx, table, func(snap *state.Snapshot, t *state.Table) error {
		changes, err := t.ColumnChanges()
		if err != nil {
			return err
		}
		list := columnsAtFirst(snap, t, changes)
		for _, c := range changes {
			list = append(list, ColumnChange{Table: t.Name, Column: c.Column, Event: c.Event, Dump: c.Dump, Arrived: arrivedAt(snap, c.Dump),
				Commit: c.Serial, At: state.Time(c.At), From: c.From, To: c.To})
		}
		slices.SortStableFunc(list, func(a, b ColumnChange) int {
			return cmp.Or(cmp.Compare(a.Commit, b.Commit), cmp.Compare(a.Dump, b.Dump))
		})
		out = append(out, list...)
		return nil
	})
	return out, err
}

// columnsAtFirst lists the columns that came with the first commit of the table, or before
// the state began to keep what becomes of them: those that no commit is known to have
// brought. What became of them later tells as which type they came.
func columnsAtFirst(snap *state.Snapshot, t *state.Table, changes []state.ColumnChange) []ColumnChange {
	at := map[string]*ColumnChange{}
	for _, c := range t.Columns {
		at[c.Name] = &ColumnChange{Column: c.Name, Dump: c.Since, To: c.Type}
	}
	for _, c := range slices.Backward(changes) {
		switch {
		case c.Event == state.ColumnCame:
			delete(at, c.Column)
		case c.Event == state.ColumnWent:
			at[c.Column] = &ColumnChange{Column: c.Column, Dump: c.Since, To: c.From}
		case c.Event == state.ColumnRetyped && at[c.Column] != nil:
			at[c.Column].To = c.From
		}
	}
	delete(at, "") // those that are dropped have no name
	var out []ColumnChange
	for _, name := range slices.Sorted(maps.Keys(at)) {
		c := at[name]
		c.Table, c.Event, c.Arrived = t.Name, state.ColumnCame, arrivedAt(snap, c.Dump)
		out = append(out, *c)
	}
	return out
}

// arrivedAt is when a dump arrived, zero if that is not known.
func arrivedAt(snap *state.Snapshot, id int64) time.Time {
	if d := snap.Dumps[id]; d != nil {
		return state.Time(d.Arrived)
	}
	return time.Time{}
}

// eachTable calls use with a table of the state, or with all of them by name.
func (r *Reader) eachTable(ctx context.Context, table string, use func(*state.Snapshot, *state.Table) error) (err error) {
	snap, err := r.Store.Load(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	if table != "" && snap.Tables[table] == nil {
		return r.noTable(snap, table)
	}
	for _, name := range slices.SortedFunc(maps.Keys(snap.Tables), strings.Compare) {
		if table == "" || table == name {
			if err := use(snap, snap.Tables[name]); err != nil {
				return err
			}
		}
	}
	return nil
}
