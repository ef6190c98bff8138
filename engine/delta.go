package engine

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/index"
	"reconcile/engine/merge"
	"reconcile/engine/plan"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// A Loc of the delta path: a stored row's partition ordinal, whether it is a
// shadow, and its position; or, for a delivered row, its segment and position. A
// stored row has the greater one: where its dump is read again it stays what it is.
const (
	locStored = 1 << 63
	locShadow = 1 << 31
)

// deltaRun is the state of one pass of the delta path.
type deltaRun struct {
	*tableRun
	layout  *rules.Layout // of stored rows
	ing     *ingest
	byOrd   map[uint32]*exec.Partition
	byValue map[int64]*exec.Partition
	next    uint32
	changed []int64       // raw users whose canonical user differs
	met     []index.Entry // of the index, sorted: all that are contested
	stored  map[uint32]*storedMarks
	counts  plan.Counts
	touched map[int64]bool // partition values to rewrite
	looked  sync.Pool      // of *column.Batch, of splices that are done
}

// storedMarks are the verdicts of a partition's stored rows that differ from
// what they are.
type storedMarks struct {
	data, shadow map[int]rows.Verdict
}

// delta judges only the rows that the pending dumps and the changed part of
// the mapping can touch, found through the index. Its invariants are I1 to I5
// of docs/architecture.md. What does not fit in memory is for the bulk path.
func (r *tableRun) delta(ctx context.Context) (_ *outcome, fits bool, err error) {
	d := &deltaRun{tableRun: r, layout: r.schema.Stored(), byOrd: map[uint32]*exec.Partition{}, byValue: map[int64]*exec.Partition{},
		next: r.old.NextOrdinal, stored: map[uint32]*storedMarks{}, touched: map[int64]bool{}}
	for _, p := range r.oldParts {
		d.byOrd[p.Ordinal], d.byValue[partValue(p)] = p, p
	}
	d.ing = r.newIngest(r.schema)
	defer func() { err = errors.Join(err, d.ing.close()) }()
	if fits, err := r.readDelta(ctx, d.ing); err != nil || !fits {
		return nil, fits, err
	}
	d.changed = identity.Diff(r.oldMapping, r.newMapping)
	contested, err := d.contest(ctx)
	if err != nil {
		return nil, true, err
	}
	if err := d.judge(ctx, contested); err != nil {
		return nil, true, err
	}
	d.touchEchoed()
	c, err := d.write(ctx)
	return c, true, err
}

// readDelta reads the deliveries, and reports whether they fit: what would spill is too
// much.
func (r *tableRun) readDelta(ctx context.Context, ing *ingest) (fits bool, err error) {
	if err := r.readFiles(ctx, ing); err != nil {
		return false, err
	}
	return !slices.ContainsFunc(ing.segments, func(s *rows.Segment) bool { return s.Rows() == nil }), nil
}

// judge decides about the delivered rows and the stored rows that are
// contested, and notes which partitions change.
func (d *deltaRun) judge(ctx context.Context, contested []hashed) error {
	var recs []merge.Rec
	for si, s := range d.ing.segments {
		for i, row := range s.Rows() {
			recs = append(recs, merge.Rec{Key: row.Key, Raw: row.Raw, Ver: row.Ver, Loc: uint64(si)<<locBits | uint64(i)})
		}
	}
	stored, err := d.readContested(ctx, contested)
	if err != nil {
		return err
	}
	recs = append(recs, stored...)
	verdict := make(map[uint64]rows.Verdict)
	merge.Decide(recs, d.canon, func(loc uint64, v rows.Verdict) {
		if loc&locStored == 0 {
			d.ing.segments[loc>>locBits].Verdicts.Set(int(loc&(1<<locBits-1)), v)
			return
		}
		verdict[loc] = v
	})
	for _, rec := range stored {
		d.mark(rec.Loc, verdict[rec.Loc])
	}
	d.touchDelivered()
	return nil
}

// mark notes what became of a stored row, if it is no longer what it was.
func (d *deltaRun) mark(loc uint64, now rows.Verdict) {
	was := rows.Publish
	if loc&locShadow != 0 {
		was = rows.Shadow
	}
	if now == was {
		return
	}
	ord, pos := uint32(loc>>32&^(locStored>>32)), int(loc&(locShadow-1))
	m := d.stored[ord]
	if m == nil {
		m = &storedMarks{data: map[int]rows.Verdict{}, shadow: map[int]rows.Verdict{}}
		d.stored[ord] = m
	}
	if was == rows.Shadow {
		m.shadow[pos] = now
	} else {
		m.data[pos] = now
	}
	switch {
	case now == rows.Drop:
		d.counts.Replaced++
		d.counts.Added-- // its replacement counts as one
		if was == rows.Shadow {
			d.counts.Collapsed--
		}
	case now == rows.Shadow:
		d.counts.Collapsed++
	default:
		d.counts.Revived++
	}
	d.touched[partValue(d.byOrd[ord])] = true
}

// touchDelivered marks the partitions of what was delivered, after all stored
// rows are judged. What it counts adds up: the rows before, and those added and
// revived, without those collapsed, are the rows after.
func (d *deltaRun) touchDelivered() {
	for _, s := range d.ing.segments {
		for i, row := range s.Rows() {
			verdict := s.Verdicts.Get(i)
			if verdict == rows.Drop {
				continue
			}
			d.counts.Added++
			if verdict == rows.Shadow {
				d.counts.Collapsed++
			}
			d.touched[row.Part] = true
		}
	}
	if d.counts.Collapsed < 0 { // shadows whose replacements are published
		d.counts.Revived -= d.counts.Collapsed
		d.counts.Collapsed = 0
	}
}

// readContested reads the key columns of the partitions that the index names
// for contested pairs and returns the rows that really are.
func (d *deltaRun) readContested(ctx context.Context, contested []hashed) ([]merge.Rec, error) {
	ords := map[uint32]bool{}
	for _, e := range d.met {
		ords[e.Part] = true
	}
	want := []column.Column{{Name: d.old.Key, Type: typeInt64}, {Name: feed.RawUserID, Type: typeInt64}, {Name: feed.DumpID, Type: typeInt64}}
	var out []merge.Rec
	for _, ord := range sortedKeys(ords) {
		p := d.byOrd[ord]
		if p == nil {
			continue // a stale entry: the partition is gone
		}
		pos := map[bool]int{}
		err := d.eachStateBatch(ctx, p, want, func(b *column.Batch, shadow bool) error {
			keys, raws, dumps := b.Col(d.old.Key).Ints, b.Col(feed.RawUserID).Ints, b.Col(feed.DumpID).Ints
			for i := range b.N {
				if _, ok := slices.BinarySearchFunc(contested, hashed{raws[i], d.hash(keys[i])}, compareHashed); !ok {
					continue
				}
				ver, err := rows.Version(d.rank[dumps[i]], 0, 0)
				if err != nil {
					return err
				}
				loc := uint64(locStored) | uint64(ord)<<32 | uint64(pos[shadow]+i)
				if shadow {
					loc |= locShadow
				}
				out = append(out, merge.Rec{Key: keys[i], Raw: raws[i], Ver: ver, Loc: loc})
			}
			pos[shadow] += b.N
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rewrite gives a partition its new content; nil stands for the old one.
func (d *deltaRun) rewrite(ctx context.Context, out *output, value int64, ordinal uint32) (*stagedPart, error) {
	s, err := d.newSplice(ctx, d.byValue[value])
	if err != nil {
		return nil, err
	}
	if s != nil {
		return s.run(ctx, out)
	}
	cursors := d.storedCursors(d.byValue[value])
	for _, seg := range d.ing.segments {
		if c := seg.Open(value); c != nil {
			cursors = append(cursors, c)
		}
	}
	return d.attempt.writePart(ctx, out, value, ordinal, func(emit func(*rows.Chunk, int) error) error {
		return merge.Partition(ctx, cursors, emit)
	})
}

// write rewrites the touched partitions.
func (d *deltaRun) write(ctx context.Context) (*outcome, error) {
	out := &output{shapes: d.ing.shapes, canon: d.canon, dumps: d.task.Dumps, limits: d.env.Limits, sizes: d.task.Thresholds}
	values := sortedKeys(d.touched)
	parts := make([]*stagedPart, len(values))
	ords := map[int64]uint32{}
	for _, v := range values {
		if p := d.byValue[v]; p != nil {
			ords[v] = p.Ordinal
		} else {
			ords[v] = d.next
			d.next++
		}
	}
	eg, egctx := errgroup.WithContext(ctx)
	eg.SetLimit(d.env.Limits.Budget.Workers())
	for i, v := range values {
		eg.Go(func() (err error) {
			parts[i], err = d.rewrite(egctx, out, v, ords[v])
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	d.ing.rescued += out.rescued.Load() + d.echo.rescuedRows()
	d.ing.rounded += out.rounded.Load()
	d.counts.Replaced += d.echo.movedRows()
	c := d.outcomeOf(exec.Delta, d.ing)
	for _, p := range parts {
		if p == nil {
			continue
		}
		if len(p.record.Files) == 0 && p.record.Shadow.IsZero() {
			c.Removed = append(c.Removed, p.record.Ordinal)
			continue
		}
		c.parts = append(c.parts, p)
	}
	c.NextOrdinal = d.next
	if err := d.extendIndex(ctx, c, ords); err != nil {
		return nil, err
	}
	err := d.finish(ctx, c, d.ing)
	d.counts.Read, d.counts.Bytes, d.counts.Quarantined = c.Counts.Read, c.Counts.Bytes, c.Counts.Quarantined
	d.counts.Rescued, d.counts.Rounded = c.Counts.Rescued, c.Counts.Rounded
	d.counts.Partitions, d.counts.Written, d.counts.Rows = c.Counts.Partitions, c.Counts.Written, c.Counts.Rows
	c.Counts = d.counts
	return c, err
}
