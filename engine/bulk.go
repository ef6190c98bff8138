package engine

import (
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/index"
	"reconcile/engine/merge"
	"reconcile/engine/quarantine"
	"reconcile/engine/rows"
)

// A Loc of the bulk path: the segment's number above a row's position in it.
const locBits = 40

// bulk judges all rows of a table at once: those that it has, unless it starts
// as new, and those of the pending dumps. Its cost is that of the whole table;
// the delta path gives the same rows.
func (r *tableRun) bulk(ctx context.Context) (_ *outcome, err error) {
	ing := r.newIngest(r.schema)
	dec := merge.NewDecider(r.env.Limits.Scratch, r.env.Limits.Budget.Verdicts(), r.canon, func(loc uint64, v rows.Verdict) {
		ing.segments[loc>>locBits].Verdicts.Set(int(loc&(1<<locBits-1)), v)
	})
	defer func() { err = errors.Join(err, dec.Close(), ing.close()) }()
	ing.onSegment = func(seg int, s *rows.Segment) error {
		return dec.AddSegment(s.Rows(), func(i int) uint64 { return uint64(seg)<<locBits | uint64(i) })
	}
	if r.old != nil && !r.task.Fresh {
		if err := ing.stateRows(ctx, r); err != nil {
			return nil, err
		}
	}
	if r.stands != nil {
		if err := ing.standIn(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := r.readFiles(ctx, ing); err != nil {
		return nil, err
	}
	if err := dec.Decide(r.env.Limits.Budget.Workers()); err != nil {
		return nil, err
	}
	c, err := r.writeAll(ctx, ing)
	if err == nil {
		c.countVerdicts(ing, r)
	}
	return c, err
}

// countVerdicts tells what became of the rows. The bulk path knows only totals:
// what was replaced is what was read or stored and is neither published nor kept
// as a shadow.
func (c *outcome) countVerdicts(ing *ingest, r *tableRun) {
	for _, s := range ing.segments {
		for i := range s.Len() {
			switch s.Verdicts.Get(i) {
			case rows.Drop:
				c.Counts.Replaced++
			case rows.Shadow:
				c.Counts.Collapsed++
			}
		}
	}
	c.countNet(r)
}

// countNet counts rows as added or removed by the difference alone; of a table
// that starts anew all are.
func (c *outcome) countNet(r *tableRun) {
	before := int64(0)
	if r.old != nil {
		before = r.old.Rows
	}
	if r.task.Fresh {
		c.Counts.Added, c.Counts.Removed = c.Counts.Rows, before
		return
	}
	c.Counts.Added = max(c.Counts.Rows-before, 0)
	c.Counts.Removed = max(before-c.Counts.Rows, 0)
}

// writeAll writes every partition of the segments, as a new generation.
func (r *tableRun) writeAll(ctx context.Context, ing *ingest) (_ *outcome, err error) {
	sorter := index.NewSorter(r.env.Limits.Scratch, r.env.Limits.Budget.IndexEntries())
	sorter.Workers = r.env.Limits.Budget.Workers()
	defer func() { err = errors.Join(err, sorter.Close()) }()
	shared := &sharedSorter{sorter: sorter}
	out := &output{shapes: ing.shapes, canon: r.canon, dumps: r.task.Dumps, limits: r.env.Limits, sizes: r.task.Thresholds}
	values := ing.partitions()
	r.attempt.parallel = r.env.Limits.Budget.Encoders(len(values))
	parts := make([]*stagedPart, len(values))
	eg, egctx := errgroup.WithContext(ctx)
	eg.SetLimit(r.env.Limits.Budget.Workers())
	for i, value := range values {
		eg.Go(func() (err error) {
			var cursors []rows.Cursor
			for _, s := range ing.segments {
				if c := s.Open(value); c != nil {
					cursors = append(cursors, c)
				}
			}
			entries := &indexBuffer{to: shared, part: uint32(i), hashBits: r.task.Thresholds.HashBits}
			parts[i], err = r.attempt.writePart(egctx, out, value, uint32(i), func(emit func(*rows.Chunk, int) error) error {
				err := merge.Partition(egctx, cursors, func(ch *rows.Chunk, i int) error {
					if err := entries.add(egctx, &ch.Rows[i]); err != nil {
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
	ing.rescued += out.rescued.Load()
	ing.rounded += out.rounded.Load()
	c := r.outcomeOf(exec.Bulk, ing)
	c.All = true
	for _, p := range parts {
		if len(p.record.Files) > 0 || !p.record.Shadow.IsZero() {
			c.parts = append(c.parts, p)
		}
	}
	c.Generation, c.NextOrdinal, c.Index = c.Generation+1, uint32(len(values)), nil
	if len(c.parts) > 0 {
		// Scratch files are large, and removing them takes its time.
		closed := make(chan error, 1)
		go func() { closed <- ing.close() }()
		obj, err := writeIndex(ctx, r.env.Objects, func(w *index.Writer) error { return sorter.WriteTo(ctx, w) })
		if err = errors.Join(err, <-closed); err != nil {
			return nil, err
		}
		c.Index = []exec.Ref{obj.Ref}
		c.Objects = append(c.Objects, obj)
	}
	return c, r.finish(ctx, c, ing)
}

// outcomeOf begins the outcome of a run that has read ing.
func (r *tableRun) outcomeOf(s exec.Strategy, ing *ingest) *outcome {
	c := r.newOutcome(s)
	if r.echo != nil {
		c.Strategy = exec.Redeliver
	}
	c.Unlisted, c.Spelled = ing.unlisted, sortedKeys(ing.spelled)
	for _, pair := range slices.SortedFunc(maps.Keys(ing.spellings), comparePairs) {
		c.Spellings = append(c.Spellings, exec.Spelling{Column: pair[0], Name: pair[1]})
	}
	for _, id := range sortedKeys(ing.carried) {
		c.Carried = append(c.Carried, exec.Carried{Column: id, Dump: ing.carried[id]})
	}
	c.Counts.Read, c.Counts.Bytes, c.Counts.Rescued, c.Counts.Rounded = ing.read, ing.bytes, ing.rescued, ing.rounded
	if d := r.task.Delivery(r.task.LastDelivery()); d != nil {
		c.Content = ing.sums.content(d)
	}
	c.Read = r.readAfter(ing)
	return c
}

func comparePairs(a, b [2]string) int { return slices.Compare(a[:], b[:]) }

// finish adds the quarantine and the totals to a change.
func (r *tableRun) finish(ctx context.Context, c *outcome, ing *ingest) error {
	if r.old != nil {
		if err := r.remask(ctx, c); err != nil {
			return err
		}
	}
	byDump := map[int64][]quarantine.Row{}
	for _, b := range ing.bad {
		b.Table = r.task.Table
		byDump[b.Dump] = append(byDump[b.Dump], b)
	}
	for _, id := range sortedKeys(byDump) {
		obj, err := quarantine.Write(ctx, r.env.Objects, byDump[id])
		if err != nil {
			return err
		}
		c.Objects = append(c.Objects, obj)
		c.Quarantine = append(c.Quarantine, exec.DumpRef{Dump: id, Ref: obj.Ref})
		c.Counts.Quarantined += int64(len(byDump[id]))
	}
	c.Counts.Quarantined = max(c.Counts.Quarantined-r.quarantinedBefore(), 0)
	for _, p := range c.parts {
		c.Objects = append(c.Objects, p.objects...)
		c.Counts.Partitions++
		for _, f := range p.record.Files {
			if f.Staged != "" {
				c.Counts.Written += f.Size
			}
		}
	}
	c.Counts.Rows = c.rowsAfter(r.oldParts)
	return nil
}

// rowsAfter counts the published rows once the change is made.
func (c *outcome) rowsAfter(old []*exec.Partition) int64 {
	n := int64(0)
	gone := map[uint32]bool{}
	for _, p := range c.parts {
		n += p.record.Rows
		gone[p.record.Ordinal] = true
	}
	for _, o := range c.Removed {
		gone[o] = true
	}
	if c.All {
		return n
	}
	for _, p := range old {
		if !gone[p.Ordinal] {
			n += p.Rows
		}
	}
	return n
}
