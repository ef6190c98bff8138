package events

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/index"
	"reconcile/engine/native/pass"
	"reconcile/engine/rules"
)

// extendIndex adds a run with the delivered rows that stay, if the index does
// not know them, and merges the runs when there are too many.
func (d *deltaRun) extendIndex(ctx context.Context, c *pass.Outcome, ords map[int64]uint32) error {
	var entries []index.Entry
	for _, s := range d.ing.Segments {
		for i, row := range s.Rows() {
			if s.Verdicts.Get(i) != rules.Drop {
				entries = append(entries, index.Entry{Raw: row.Raw, Part: ords[row.Part], Hash: d.hash(row.Key)})
			}
		}
	}
	index.Sort(entries)
	entries = slices.DeleteFunc(slices.Compact(entries), func(e index.Entry) bool {
		_, ok := slices.BinarySearchFunc(d.contestedEntries, e, index.Compare)
		return ok
	})
	if len(entries) == 0 {
		return nil
	}
	obj, err := writeIndex(ctx, d.Env.Objects, func(w *index.Writer) error {
		for _, e := range entries {
			if err := w.Add(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.Objects = append(c.Objects, obj)
	c.Index = append(c.Index, obj.Ref)
	return d.mergeIndex(ctx, c, entries)
}

// mergeIndex merges the smaller runs once there are too many, so that a run
// takes part in a merge only as often as its size doubles.
func (d *deltaRun) mergeIndex(ctx context.Context, c *pass.Outcome, fresh []index.Entry) (err error) {
	if len(c.Index) <= d.Task.Thresholds.IndexRuns {
		return nil
	}
	refs := d.Old.Index // those that the store can open: the fresh run is merged from memory
	keep := 0
	for total := int64(len(fresh)); keep < len(refs); keep++ {
		rest := int64(0)
		for _, r := range refs[keep+1:] {
			rest += r.Rows
		}
		if refs[keep].Rows <= 2*(rest+total) {
			break
		}
	}
	older, err := openRuns(ctx, d.Env, refs[keep:])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, older.Close()) }()
	var gone = map[uint32]bool{}
	for _, o := range c.Removed {
		gone[o] = true
	}
	sorter := index.NewSorter(d.Env.Limits.Scratch, d.Env.Limits.Budget.IndexEntries())
	sorter.Workers = d.Env.Limits.Budget.Workers()
	defer func() { err = errors.Join(err, sorter.Close()) }()
	for _, e := range fresh {
		if err := sorter.Add(ctx, e); err != nil {
			return err
		}
	}
	for _, r := range older.runs {
		if err := addRun(ctx, sorter, r, gone); err != nil {
			return older.blame(ctx, err)
		}
	}
	obj, err := writeIndex(ctx, d.Env.Objects, func(w *index.Writer) error { return sorter.WriteTo(ctx, w) })
	if err != nil {
		return err
	}
	c.Objects = append(c.Objects[:len(c.Objects)-1], obj)
	c.Index = append(slices.Clone(refs[:keep]), obj.Ref)
	return nil
}
