package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/objects"
	"reconcile/engine/quarantine"
	"reconcile/internal/feed"
	"reconcile/state"
)

// Row is a row that no table has, because it lacks its key columns.
type Row struct {
	Table  string
	Dump   int64
	File   string
	Row    int64 // in the file, counted from 0
	Reason string
	Data   json.RawMessage // an object of the row's values by their delivered names, masks applied
}

// Quarantine calls use for every quarantined row of a table, or of all of them
// when table is empty, by table, dump, file and row. It reads the state only. An
// error of use ends it and is returned. A table that the state does not know is
// an error.
func (r *Reader) Quarantine(ctx context.Context, table string, use func(Row) error) (err error) {
	snap, err := r.Store.Load(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	if m := snap.Mapping; m != nil && snap.Tables[feed.TableMapping] == nil {
		// The mapping is read whether or not a block takes it as a table.
		snap.Tables[feed.TableMapping] = &state.Table{Name: feed.TableMapping}
		if !m.Quarantine.IsZero() {
			snap.Tables[feed.TableMapping].Quarantine = []state.DumpRef{{Dump: m.Dump, Ref: m.Quarantine}}
		}
	}
	if table != "" && snap.Tables[table] == nil {
		return r.noTable(snap, table)
	}
	for _, name := range slices.Sorted(maps.Keys(snap.Tables)) {
		if table != "" && name != table {
			continue
		}
		for _, q := range snap.Tables[name].Quarantine {
			if err := r.readQuarantine(ctx, name, q, use); err != nil {
				return err
			}
		}
	}
	return nil
}

// readQuarantine hands on the quarantined rows of one dump.
func (r *Reader) readQuarantine(ctx context.Context, table string, q state.DumpRef, use func(Row) error) error {
	return quarantine.Each(ctx, objects.Objects{State: r.Store}, exec.DumpRef{Dump: q.Dump, Ref: exec.Ref(q.Ref)}, func(b quarantine.Row) error {
		row := Row{Table: table, Dump: b.Dump, File: b.File, Row: b.Row, Reason: b.Reason, Data: json.RawMessage("{}")}
		if b.Data != "" {
			row.Data = json.RawMessage(b.Data)
		}
		return use(row)
	})
}
