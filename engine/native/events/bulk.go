package events

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/index"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/native/write"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
)

// bulk judges all rows of a table at once: those of the pending dumps, which in has, and
// those that the table has, unless it starts as new. Its cost is that of the whole table;
// the delta path gives the same rows.
func bulk(ctx context.Context, r *pass.Run, in *intake) (*pass.Outcome, error) {
	ing := in.Ingest
	delivered, stored := r.Delivered(ing), storedOf(r)
	writing := expectAll(r, delivered, stored)
	if r.Old != nil && !r.Task.Fresh {
		if err := addStored(ctx, ing, r); err != nil {
			return nil, err
		}
	}
	if r.Stands != nil {
		if err := standInEvents(ctx, ing, r); err != nil {
			return nil, err
		}
	}
	lengths := rowsOf(ing, rows.Partitions(ing.Segments))
	if len(lengths) > 0 {
		writing += exec.WorkOfLargest(writing, slices.Max(lengths), ing.Len(), r.Env.Limits.Budget)
	}
	reducing := ing.WorkOfReducing(exec.DeliveredAs(delivered, stored).AsDelivered())
	if err := decide(r, in, reducing+writing+r.WorkOfFiles(len(lengths))); err != nil {
		return nil, err
	}
	replaced, collapsed := pass.CountVerdicts(ing)
	if err := ing.Reduce(ctx, reducing); err != nil {
		return nil, err
	}
	c, err := writeAll(ctx, r, ing, writing)
	if err == nil {
		c.Counts.Replaced, c.Counts.Collapsed = c.Counts.Replaced+replaced, c.Counts.Collapsed+collapsed
		c.CountNet(r)
	}
	return c, err
}

// decide judges all rows, behind which so much work is left.
func decide(r *pass.Run, in *intake, behind int64) error {
	judging := exec.WorkOfJudging(in.Len(), r.Env.Limits.Budget)
	r.Env.Events.Expect(exec.Judging, judging+behind)
	judged := r.Env.Events.Stretch(exec.Judging, rules.Buckets, judging)
	defer judged.End()
	return in.decider.Decide(r.Env.Limits.Budget.Workers(), func() { judged.PassBytes(1) })
}

// addStored feeds the rows that a table has to the ingest. Where they do not fit beside those
// that are delivered they get the memory of these: rows with columns take more time to spill
// and to read again than records do.
func addStored(ctx context.Context, ing *ingest.Ingest, r *pass.Run) error {
	if !exec.HoldsAll(r.Env.Limits.Budget, r.DeliveredBytes(), r.StoredBytes(r.OldParts...)) {
		if err := ing.Release(ctx); err != nil {
			return err
		}
	}
	return stateRows(ctx, ing, r)
}

// writeAll writes every partition of the segments, as a new generation. work is about how
// much that is.
func writeAll(ctx context.Context, r *pass.Run, ing *ingest.Ingest, work int64) (_ *pass.Outcome, err error) {
	sorter := index.NewSorter(r.Env.Limits.Scratch, r.Env.Limits.Budget.IndexEntries())
	sorter.Workers = r.Env.Limits.Budget.Workers()
	defer func() { err = errors.Join(err, sorter.Close()) }()
	shared := &sharedSorter{sorter: sorter}
	out := &write.Output{Formats: ing.Formats, Canon: r.Canon, Dumps: r.Task.Dumps, Limits: r.Env.Limits, Sizes: r.Task.Thresholds}
	values := rows.Partitions(ing.Segments)
	r.Attempt.Parallel = r.Env.Limits.Budget.Encoders(len(values))
	parts := make([]*write.Part, len(values))
	lengths := rowsOf(ing, values)
	passed := stretches(r.Env.Events, addEach(divide(work, lengths), r.WorkOfFiles(1)), lengths)
	eg, egctx := errgroup.WithContext(ctx)
	eg.SetLimit(r.Env.Limits.Budget.Workers())
	for i, value := range values {
		eg.Go(func() (err error) {
			var cursors []rows.Cursor
			for _, s := range ing.Segments {
				if c := s.Open(value); c != nil {
					cursors = append(cursors, c)
				}
			}
			defer passed[i].End()
			entries := &indexBuffer{to: shared, part: uint32(i), hashBits: r.Task.Thresholds.HashBits}
			parts[i], err = r.Attempt.WritePart(egctx, out, value, uint32(i), passed[i], func(emit func(*rows.Chunk, int) error) error {
				err := rows.Merge(egctx, cursors, func(ch *rows.Chunk, i int) error {
					if err := entries.addEntry(egctx, &ch.Rows[i]); err != nil {
						return err
					}
					return emit(ch, i)
				})
				return errors.Join(err, entries.flush(egctx))
			})
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	ing.Rescued += out.Rescued.Load()
	ing.Rounded.Add(out.Rounded.Load())
	c := r.OutcomeOf(exec.Bulk, ing)
	c.All = true
	for _, p := range parts {
		if len(p.Record.Files) > 0 || !p.Record.Shadow.IsZero() {
			c.Parts = append(c.Parts, p)
		}
	}
	c.Generation, c.NextOrdinal, c.Index = c.Generation+1, uint32(len(values)), nil
	if len(c.Parts) > 0 {
		// Scratch files are large, and removing them takes its time.
		closed := make(chan error, 1)
		go func() { closed <- ing.CloseSegments() }()
		obj, err := writeIndex(ctx, r.Env.Objects, func(w *index.Writer) error { return sorter.WriteTo(ctx, w) })
		if err = errors.Join(err, <-closed); err != nil {
			return nil, err
		}
		c.Index = []exec.Ref{obj.Ref}
		c.Objects = append(c.Objects, obj)
	}
	return c, r.Finish(ctx, c, ing)
}
