package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"reconcile/engine/exec"
	"reconcile/engine/index"
	"reconcile/engine/rules"
)

// indexRuns are the open runs of an index.
type indexRuns struct {
	runs []*index.Run
	objs []exec.OpenObject
}

// openRuns opens the runs of an index. The caller closes them.
func openRuns(ctx context.Context, env *exec.Env, refs []exec.Ref) (*indexRuns, error) {
	r := &indexRuns{}
	for _, ref := range refs {
		obj, err := env.Objects.Open(ctx, ref)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the index: %w", err), r.Close())
		}
		r.objs = append(r.objs, obj)
		run, err := index.Open(obj, obj.Size(), env.Limits.Budget.IndexFilters())
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

// visit calls fn with what the runs know of users, which must be sorted, as index.Visit does.
func (r *indexRuns) visit(ctx context.Context, users []int64, fn func([]index.Entry) error) error {
	if _, err := index.Visit(ctx, r.runs, users, fn); err != nil {
		return fmt.Errorf("probing the index: %w", r.blame(ctx, err))
	}
	return nil
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

func (b *indexBuffer) addEntry(ctx context.Context, r *rules.Row) error {
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
