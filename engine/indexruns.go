package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"reconcile/engine/exec"
	"reconcile/engine/index"
	"reconcile/engine/rows"
)

// indexRuns are the open runs of an index.
type indexRuns struct {
	runs []*index.Run
	objs []exec.OpenObject
}

// openRuns opens the runs of an index. The caller closes them.
func openRuns(ctx context.Context, store exec.Objects, refs []exec.Ref) (*indexRuns, error) {
	r := &indexRuns{}
	for _, ref := range refs {
		obj, err := store.Open(ctx, ref)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the index: %w", err), r.Close())
		}
		r.objs = append(r.objs, obj)
		run, err := index.Open(obj, obj.Size())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the index: %w", obj.Damaged(err)), r.Close())
		}
		r.runs = append(r.runs, run)
	}
	return r, nil
}

// Close closes all runs.
func (r *indexRuns) Close() error {
	var errs []error
	for _, o := range r.objs {
		errs = append(errs, o.Close())
	}
	return errors.Join(errs...)
}

// blame names the run that made reading several of them fail, if one is damaged.
func (r *indexRuns) blame(ctx context.Context, err error) error {
	for _, o := range r.objs {
		if bad := o.Verify(ctx); bad != nil {
			return bad
		}
	}
	if errors.Is(err, index.ErrDamaged) {
		return r.objs[0].Damaged(err)
	}
	return err
}

// lookupIndex returns what an index knows of users, which must be sorted; each
// entry once.
func lookupIndex(ctx context.Context, store exec.Objects, refs []exec.Ref, users []int64) (_ []index.Entry, err error) {
	r, err := openRuns(ctx, store, refs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	found, _, err := index.Lookup(ctx, r.runs, users)
	if err != nil {
		return nil, fmt.Errorf("probing the index: %w", r.blame(ctx, err))
	}
	return found, nil
}

// writeIndex writes a run of the index as an object of the state.
func writeIndex(ctx context.Context, store exec.Objects, fill func(*index.Writer) error) (*exec.Object, error) {
	o := store.Create(ctx)
	w := index.NewWriter(o)
	if err := errors.Join(fill(w), w.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("writing an index run: %w", err), o.Abort())
	}
	obj, err := o.Close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = w.Entries()
	return obj, nil
}

// extendIndex adds a run with the delivered rows that stay, if the index does
// not know them, and merges the runs when there are too many.
func (d *deltaRun) extendIndex(ctx context.Context, c *outcome, ords map[int64]uint32) error {
	var entries []index.Entry
	for _, s := range d.ing.segments {
		for i, row := range s.Rows() {
			if s.Verdicts.Get(i) != rows.Drop {
				entries = append(entries, index.Entry{Raw: row.Raw, Part: ords[row.Part], Hash: d.hash(row.Key)})
			}
		}
	}
	index.Sort(entries)
	entries = slices.DeleteFunc(slices.Compact(entries), func(e index.Entry) bool {
		_, ok := slices.BinarySearchFunc(d.met, e, index.Compare)
		return ok
	})
	if len(entries) == 0 {
		return nil
	}
	obj, err := writeIndex(ctx, d.env.Objects, func(w *index.Writer) error {
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
func (d *deltaRun) mergeIndex(ctx context.Context, c *outcome, fresh []index.Entry) (err error) {
	if len(c.Index) <= d.task.Thresholds.IndexRuns {
		return nil
	}
	refs := d.old.Index // those that the store can open: the fresh run is merged from memory
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
	older, err := openRuns(ctx, d.env.Objects, refs[keep:])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, older.Close()) }()
	var gone = map[uint32]bool{}
	for _, o := range c.Removed {
		gone[o] = true
	}
	sorter := index.NewSorter(d.env.Limits.Scratch, d.env.Limits.Budget.IndexEntries())
	sorter.Workers = d.env.Limits.Budget.Workers()
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
	obj, err := writeIndex(ctx, d.env.Objects, func(w *index.Writer) error { return sorter.WriteTo(ctx, w) })
	if err != nil {
		return err
	}
	c.Objects = append(c.Objects[:len(c.Objects)-1], obj)
	c.Index = append(slices.Clone(refs[:keep]), obj.Ref)
	return nil
}

// addRun feeds a run to a sorter, without the entries of partitions that are gone.
func addRun(ctx context.Context, sorter *index.Sorter, r *index.Run, gone map[uint32]bool) error {
	sc := r.Scan()
	for {
		entries, err := sc.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("merging index runs: %w", err)
		}
		for _, e := range entries {
			if gone[e.Part] {
				continue
			}
			if err := sorter.Add(ctx, e); err != nil {
				return err
			}
		}
	}
}

// sharedSorter lets partitions that are written side by side feed one sorter.
type sharedSorter struct {
	mu     sync.Mutex
	sorter *index.Sorter
}

// indexBuffer collects the entries of one partition, so that these seldom wait
// for those of others.
type indexBuffer struct {
	to       *sharedSorter
	part     uint32
	hashBits int
	entries  []index.Entry
}

func (b *indexBuffer) add(ctx context.Context, r *rows.Row) error {
	b.entries = append(b.entries, index.Entry{Raw: r.Raw, Part: b.part, Hash: index.KeyHash(r.Key, b.hashBits)})
	if len(b.entries) < 4096 {
		return nil
	}
	return b.flush(ctx)
}

func (b *indexBuffer) flush(ctx context.Context) error {
	b.to.mu.Lock()
	defer b.to.mu.Unlock()
	for _, e := range b.entries {
		if err := b.to.sorter.Add(ctx, e); err != nil {
			return err
		}
	}
	b.entries = b.entries[:0]
	return nil
}
