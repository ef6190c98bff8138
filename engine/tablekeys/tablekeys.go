// Package tablekeys reads, for guards, which rows of a table a delivery brings and which
// the table has: their raw users and keys, and nothing else of them. It judges nothing,
// and writes nothing.
package tablekeys

import (
	"context"
	"fmt"

	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/planner"
	"reconcile/engine/rowfile"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/state"
)

// Reader reads the keys of rows.
type Reader struct {
	Source  exec.Source
	Lake    *lake.Lake
	Objects exec.Objects
	Budget  exec.Budget
}

// EachStored implements planner.KeyReader.
func (r Reader) EachStored(ctx context.Context, t planner.StoredRows, use func(raw, key, dump int64) error) error {
	if t.Table.Kind == feed.KindUsers {
		return r.eachKept(ctx, t.Table, use)
	}
	key := column.Column{Name: t.Table.Key, Type: column.Int64Type}
	want := []column.Column{key, {Name: feed.RawUserID, Type: column.Int64Type}, {Name: feed.DumpID, Type: column.Int64Type}}
	each := func(b *column.Batch) error {
		raws, keys, dumps := b.Col(feed.RawUserID).Ints, b.Col(key.Name).Ints, b.Col(feed.DumpID).Ints
		for i := range b.N {
			if err := use(raws[i], keys[i], dumps[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for _, f := range t.Files {
		if err := r.eachInFile(ctx, t.Table.Sinks[f.Sink].Root, f, want, each); err != nil {
			return fmt.Errorf("reading the keys of %s: %w", f.Path, err)
		}
	}
	for _, ref := range t.Shadow {
		if err := r.eachInObject(ctx, ref, want, each); err != nil {
			return fmt.Errorf("reading the keys of shadow rows: %w", err)
		}
	}
	return nil
}

func (r Reader) eachInFile(ctx context.Context, root string, f state.File, want []column.Column, use func(*column.Batch) error) error {
	sk, err := r.Lake.Open(ctx, root)
	if err != nil {
		return err
	}
	rd, err := sk.Open(ctx, f.Path, f.Pin, want)
	if err != nil {
		return err
	}
	return rowfile.EachBatch(ctx, rd, use)
}

func (r Reader) eachInObject(ctx context.Context, ref state.Ref, want []column.Column, use func(*column.Batch) error) error {
	if ref.IsZero() {
		return nil
	}
	rd, err := rowfile.OpenObject(ctx, r.Objects, exec.Ref(ref), want, r.Budget.FileRowGroup())
	if err != nil {
		return err
	}
	return rowfile.EachBatch(ctx, rd, use)
}

// eachKept reads the users of a table, the older rows of some among them.
func (r Reader) eachKept(ctx context.Context, old *state.Table, use func(raw, key, dump int64) error) error {
	want := []column.Column{{Name: rules.KeptUser, Type: column.Int64Type}, {Name: rules.KeptDump, Type: column.Int64Type}}
	for _, ref := range old.KeptUsers() {
		err := r.eachInObject(ctx, ref, want, func(b *column.Batch) error {
			users, dumps := b.Col(rules.KeptUser).Ints, b.Col(rules.KeptDump).Ints
			for i := range b.N {
				if err := use(users[i], 0, dumps[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading the keys of users: %w", err)
		}
	}
	return nil
}
