package engine

import (
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/index"
	"reconcile/engine/merge"
	"reconcile/engine/rows"
	"reconcile/state"
)

// A Loc of the bulk path: the segment's number above a row's position in it.
const locBits = 40

// bulk judges all rows of a table at once: those that it has, unless it starts
// as new, and those of the pending dumps. Its cost is that of the whole table;
// the delta path gives the same rows.
func (r *tableRun) bulk(ctx context.Context) (_ *change, err error) {
	ing := newIngest(r.schema, r.env.lim)
	ing.failCasts, ing.frozen = r.failCasts, !r.ofConfig
	ing.progress = func(rows, bytes int64) { r.env.progress(r.cfg.Name, rows, bytes) }
	dec := merge.NewDecider(r.env.lim.scratch, r.env.lim.memory/4/40, r.canon, func(loc uint64, v rows.Verdict) {
		ing.segments[loc>>locBits].Verdicts.Set(int(loc&(1<<locBits-1)), v)
	})
	defer func() { err = errors.Join(err, dec.Close(), ing.close()) }()
	ing.onSegment = func(seg int, s *rows.Segment) error {
		return dec.AddSegment(s.Rows(), func(i int) uint64 { return uint64(seg)<<locBits | uint64(i) })
	}
	if r.old != nil && !r.asNew {
		if err := ing.stateRows(ctx, r, r.floor); err != nil {
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
	if err := dec.Decide(r.env.lim.workers); err != nil {
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
func (c *change) countVerdicts(ing *ingest, r *tableRun) {
	for _, s := range ing.segments {
		for i := range s.Len() {
			switch s.Verdicts.Get(i) {
			case rows.Drop:
				c.counts.Replaced++
			case rows.Shadow:
				c.counts.Collapsed++
			}
		}
	}
	c.countNet(r)
}

// countNet counts rows as added or removed by the difference alone; of a table
// that starts anew all are.
func (c *change) countNet(r *tableRun) {
	before := int64(0)
	if r.old != nil {
		before = r.old.Rows
	}
	if r.asNew {
		c.counts.Added, c.counts.Removed = c.counts.Rows, before
		return
	}
	c.counts.Added = max(c.counts.Rows-before, 0)
	c.counts.Removed = max(before-c.counts.Rows, 0)
}

// writeAll writes every partition of the segments, as a new generation.
func (r *tableRun) writeAll(ctx context.Context, ing *ingest) (_ *change, err error) {
	sorter := index.NewSorter(r.env.lim.scratch, r.env.lim.memory/4/16)
	sorter.Workers = r.env.lim.workers
	defer func() { err = errors.Join(err, sorter.Close()) }()
	shared := &sharedSorter{sorter: sorter}
	out := &output{shapes: ing.shapes, canon: r.canon, dumps: r.ids, lim: r.env.lim}
	values := ing.partitions()
	r.attempt.parallel = r.env.lim.workers / max(len(values), 1)
	parts := make([]*part, len(values))
	eg, egctx := errgroup.WithContext(ctx)
	eg.SetLimit(r.env.lim.workers)
	for i, value := range values {
		eg.Go(func() (err error) {
			var cursors []rows.Cursor
			for _, s := range ing.segments {
				if c := s.Open(value); c != nil {
					cursors = append(cursors, c)
				}
			}
			entries := &indexBuffer{to: shared, part: uint32(i), hashBits: r.env.lim.hashBits}
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
	c := r.newChange(ing)
	c.all = true
	for _, p := range parts {
		if len(p.record.Files) > 0 || !p.record.Shadow.IsZero() {
			c.parts = append(c.parts, p)
		}
	}
	c.table.Generation++
	c.table.NextOrdinal = uint32(len(values))
	c.table.Index = nil
	if len(c.parts) > 0 {
		// Scratch files are large, and removing them takes its time.
		closed := make(chan error, 1)
		go func() { closed <- ing.close() }()
		obj, err := writeIndex(ctx, r.attempt.store, func(w *index.Writer) error { return sorter.WriteTo(ctx, w) })
		if err = errors.Join(err, <-closed); err != nil {
			return nil, err
		}
		c.table.Index = []state.Ref{obj.Ref}
		c.objects = append(c.objects, obj)
	}
	return c, r.finish(ctx, c, ing)
}

func (r *tableRun) newChange(ing *ingest) *change {
	c := &change{table: r.newTable(), unlisted: ing.unlisted}
	for _, name := range sortedKeys(ing.spelled) {
		if !slices.Contains(c.table.Spelling, name) {
			c.table.Spelling = append(c.table.Spelling, name)
		}
	}
	c.noteColumns(ing, r.schema)
	c.counts.Read, c.counts.Bytes, c.counts.Rescued, c.counts.Rounded = ing.read, ing.bytes, ing.rescued, ing.rounded
	c.table.Content, c.echo = r.contentAfter(c.table, ing), r.echo
	c.table.Read = r.readAfter(ing)
	return c
}

// noteColumns adds to the columns of the table what only files tell of them.
func (c *change) noteColumns(ing *ingest, s *schema) {
	for i := range c.table.Columns {
		col := &c.table.Columns[i]
		id := s.table.ID(askedName(s.table, s.legacy, *col))
		if dump, ok := ing.carried[id]; ok {
			col.Seen = max(col.Seen, dump)
		}
		for _, pair := range slices.SortedFunc(maps.Keys(ing.spellings), comparePairs) {
			if pair[0] == id {
				spell(col, pair[1])
			}
		}
	}
}

func comparePairs(a, b [2]string) int { return slices.Compare(a[:], b[:]) }

// finish adds the quarantine and the totals to a change.
func (r *tableRun) finish(ctx context.Context, c *change, ing *ingest) error {
	if r.old != nil {
		if err := r.remask(ctx, c); err != nil {
			return err
		}
	}
	byDump := map[int64][]badRow{}
	for _, b := range ing.bad {
		b.Table = r.cfg.Name
		byDump[b.Dump] = append(byDump[b.Dump], b)
	}
	for _, id := range sortedKeys(byDump) {
		obj, err := writeQuarantine(ctx, r.attempt.store, byDump[id])
		if err != nil {
			return err
		}
		c.objects = append(c.objects, obj)
		c.table.Quarantine = append(c.table.Quarantine, state.DumpRef{Dump: id, Ref: obj.Ref})
		c.counts.Quarantined += int64(len(byDump[id]))
	}
	c.counts.Quarantined = max(c.counts.Quarantined-r.quarantinedBefore(), 0)
	for _, p := range c.parts {
		c.objects = append(c.objects, p.objects...)
		c.counts.Partitions++
		for i, f := range p.record.Files {
			if p.staged[i] != "" {
				c.counts.Written += f.Size
			}
		}
	}
	c.table.Rows = c.rowsAfter(r.oldParts)
	c.counts.Rows = c.table.Rows
	return nil
}

// rowsAfter counts the published rows once the change is made.
func (c *change) rowsAfter(old []*state.Partition) int64 {
	n := int64(0)
	gone := map[uint32]bool{}
	for _, p := range c.parts {
		n += p.record.Rows
		gone[p.record.Ordinal] = true
	}
	for _, o := range c.removed {
		gone[o] = true
	}
	if c.all {
		return n
	}
	for _, p := range old {
		if !gone[p.Ordinal] {
			n += p.Rows
		}
	}
	return n
}
