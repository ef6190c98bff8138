package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"reconcile/state"
)

// QuarantineRow is a row that no table has, because it lacks its key columns.
type QuarantineRow struct {
	Table  string          `json:"table"`
	Dump   int64           `json:"dump"`
	File   string          `json:"file"`
	Row    int64           `json:"row"` // in the file, counted from 0
	Reason string          `json:"reason"`
	Data   json.RawMessage `json:"data"` // an object of the row's values by their delivered names, masks applied
}

// Quarantine calls use for every quarantined row of a table, or of all of them
// when table is empty, by table, dump, file and row. It reads the state only. An
// error of use ends it and is returned. A table that the state does not know is
// an error.
func (e *Engine) Quarantine(ctx context.Context, table string, use func(QuarantineRow) error) (err error) {
	snap, err := e.store.Load(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	if table != "" && snap.Tables[table] == nil {
		return fmt.Errorf("no table %q was ever applied; `reconcile show` lists those that were", table)
	}
	for _, name := range sortedKeys(snap.Tables) {
		if table != "" && name != table {
			continue
		}
		for _, q := range snap.Tables[name].Quarantine {
			if err := e.readQuarantine(ctx, name, q, use); err != nil {
				return err
			}
		}
	}
	return nil
}

// readQuarantine reads what writeQuarantine wrote.
func (e *Engine) readQuarantine(ctx context.Context, table string, q state.DumpRef, use func(QuarantineRow) error) (err error) {
	o, err := e.store.OpenObject(ctx, q.Ref)
	if err != nil {
		return fmt.Errorf("quarantine of table %s, dump %d: %w", table, q.Dump, err)
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if err := o.Verify(ctx); err != nil {
		return fmt.Errorf("quarantine of table %s, dump %d: %w", table, q.Dump, err)
	}
	z, err := zstd.NewReader(io.NewSectionReader(o, 0, o.Size()), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("quarantine of table %s, dump %d: %w", table, q.Dump, err)
	}
	defer z.Close()
	dec := json.NewDecoder(z)
	for {
		var b badRow
		err := dec.Decode(&b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("quarantine of table %s, dump %d: %w", table, q.Dump, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		row := QuarantineRow{Table: table, Dump: b.Dump, File: b.File, Row: b.Row, Reason: b.Reason, Data: json.RawMessage("{}")}
		if b.Data != "" {
			row.Data = json.RawMessage(b.Data)
		}
		if err := use(row); err != nil {
			return err
		}
	}
}
