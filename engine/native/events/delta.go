package events

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/index"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/native/write"
	"reconcile/engine/plan"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// deltaRun is the state of one pass of the delta path.
type deltaRun struct {
	*pass.Run
	layout           *rules.Layout // of stored rows
	form             storedForm    // of those that are written again
	ing              *ingest.Ingest
	byOrd            map[uint32]*exec.Partition
	byValue          map[int64]*exec.Partition
	next             uint32
	changed          []int64       // raw users whose canonical user differs
	contestedEntries []index.Entry // of the index, sorted: all that are contested
	stored           map[uint32]*storedOverrides
	counts           plan.Counts
	touched          map[int64]bool // partition values to rewrite
	looked           sync.Pool      // of *column.Batch, of splices that are done
}

// storedOverrides are the verdicts of a partition's stored rows that differ from
// what they are.
type storedOverrides struct {
	data, shadow map[int]rules.Verdict
}

// delta judges only the rows that the pending dumps, which ing has, and the changed part of
// the mapping can touch, found through the index, or fails with errManyContested before it
// changes anything. Its invariants are I1 to I5 of docs/architecture.md.
func delta(ctx context.Context, r *pass.Run, ing *ingest.Ingest) (*pass.Outcome, error) {
	d := &deltaRun{Run: r, ing: ing, layout: r.Schema.Stored(), byOrd: map[uint32]*exec.Partition{}, byValue: map[int64]*exec.Partition{},
		next: r.Old.NextOrdinal, stored: map[uint32]*storedOverrides{}, touched: map[int64]bool{}}
	d.form = newStoredForm(r, d.layout)
	for _, p := range r.OldParts {
		d.byOrd[p.Ordinal], d.byValue[write.PartValue(p)] = p, p
	}
	d.changed = identity.Diff(r.OldMapping, r.NewMapping)
	probed := r.Env.Events.Stretch(exec.Judging, 1, exec.WorkOfProbing(r.Delivered(ing).AsDelivered()))
	contested, err := d.contest(ctx)
	if err != nil {
		return nil, err
	}
	probed.End()
	if err := d.judge(ctx, contested); err != nil {
		return nil, err
	}
	d.touchRedelivered()
	return d.write(ctx)
}

// judge decides about the delivered rows and the stored rows that are
// contested, and notes which partitions change.
func (d *deltaRun) judge(ctx context.Context, contested []hashed) error {
	var recs []rules.Candidate
	for si, s := range d.ing.Segments {
		for i, row := range s.Rows() {
			recs = append(recs, rules.Candidate{Key: row.Key, Raw: row.Raw, Ver: row.Ver, Loc: uint64(si)<<locBits | uint64(i)})
		}
	}
	stored, err := d.readContested(ctx, contested)
	if err != nil {
		return err
	}
	recs = append(recs, stored...)
	verdict := make(map[uint64]rules.Verdict)
	rules.Decide(recs, d.Canon, func(loc uint64, v rules.Verdict) {
		if loc&locStored == 0 {
			d.ing.Segments[loc>>locBits].Verdicts.Set(int(loc&(1<<locBits-1)), v)
			return
		}
		verdict[loc] = v
	})
	for _, rec := range stored {
		d.override(rec.Loc, verdict[rec.Loc])
	}
	d.touchDelivered()
	return nil
}

// override notes what became of a stored row, if it is no longer what it was.
func (d *deltaRun) override(loc uint64, now rules.Verdict) {
	was := rules.Publish
	if loc&locShadow != 0 {
		was = rules.Shadow
	}
	if now == was {
		return
	}
	ord, pos := uint32(loc>>32&^(locStored>>32)), int(loc&(locShadow-1))
	m := d.stored[ord]
	if m == nil {
		m = &storedOverrides{data: map[int]rules.Verdict{}, shadow: map[int]rules.Verdict{}}
		d.stored[ord] = m
	}
	if was == rules.Shadow {
		m.shadow[pos] = now
	} else {
		m.data[pos] = now
	}
	switch {
	case now == rules.Drop:
		d.counts.Replaced++
		d.counts.Added-- // its replacement counts as one
		if was == rules.Shadow {
			d.counts.Collapsed--
		}
	case now == rules.Shadow:
		d.counts.Collapsed++
	default:
		d.counts.Revived++
	}
	d.touched[write.PartValue(d.byOrd[ord])] = true
}

// touchDelivered marks the partitions of what was delivered, after all stored
// rows are judged. What it counts adds up: the rows before, and those added and
// revived, without those collapsed, are the rows after.
func (d *deltaRun) touchDelivered() {
	for _, s := range d.ing.Segments {
		for i, row := range s.Rows() {
			verdict := s.Verdicts.Get(i)
			if verdict == rules.Drop {
				continue
			}
			d.counts.Added++
			if verdict == rules.Shadow {
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
func (d *deltaRun) readContested(ctx context.Context, contested []hashed) ([]rules.Candidate, error) {
	ords := map[uint32]bool{}
	for _, e := range d.contestedEntries {
		ords[e.Part] = true
	}
	want := []column.Column{{Name: d.Old.Key, Type: column.Int64Type}, {Name: feed.RawUserID, Type: column.Int64Type}, {Name: feed.DumpID, Type: column.Int64Type}}
	var out []rules.Candidate
	bytes := int64(0)
	for ord := range ords {
		if p := d.byOrd[ord]; p != nil {
			bytes += d.StoredBytes(p)
		}
	}
	looked := d.expect(bytes)
	for _, ord := range slices.Sorted(maps.Keys(ords)) {
		p := d.byOrd[ord]
		if p == nil {
			continue // a stale entry: the partition is gone
		}
		pos := map[bool]int{}
		err := d.EachStored(ctx, p, want, func(b *column.Batch, shadow bool) error {
			keys, raws, dumps := b.Col(d.Old.Key).Ints, b.Col(feed.RawUserID).Ints, b.Col(feed.DumpID).Ints
			for i := range b.N {
				if _, ok := slices.BinarySearchFunc(contested, hashed{raws[i], d.hash(keys[i])}, compareHashed); !ok {
					continue
				}
				ver, err := rules.Version(d.Rank[dumps[i]], 0, 0)
				if err != nil {
					return err
				}
				loc := uint64(locStored) | uint64(ord)<<32 | uint64(pos[shadow]+i)
				if shadow {
					loc |= locShadow
				}
				out = append(out, rules.Candidate{Key: keys[i], Raw: raws[i], Ver: ver, Loc: loc})
			}
			pos[shadow] += b.N
			return nil
		})
		if err != nil {
			return nil, err
		}
		looked.PassBytes(d.StoredBytes(p))
	}
	return out, nil
}

// rewrite gives a partition its new content; nil stands for the old one.
func (d *deltaRun) rewrite(ctx context.Context, out *write.Output, value int64, ordinal uint32, passed *exec.Stretch) (*write.Part, error) {
	s, err := d.newSplice(ctx, d.byValue[value])
	if err != nil {
		return nil, err
	}
	if s != nil {
		return s.run(ctx, out, passed)
	}
	cursors := d.storedCursors(d.byValue[value])
	for _, seg := range d.ing.Segments {
		if c := seg.Open(value); c != nil {
			cursors = append(cursors, c)
		}
	}
	return d.Attempt.WritePart(ctx, out, value, ordinal, passed, func(emit func(*rows.Chunk, int) error) error {
		return rows.Merge(ctx, cursors, emit)
	})
}

// write rewrites the touched partitions.
func (d *deltaRun) write(ctx context.Context) (*pass.Outcome, error) {
	out := &write.Output{Formats: d.ing.Formats, Canon: d.Canon, Dumps: d.Task.Dumps, Limits: d.Env.Limits, Sizes: d.Task.Thresholds}
	values := slices.Sorted(maps.Keys(d.touched))
	parts := make([]*write.Part, len(values))
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
	eg.SetLimit(d.Env.Limits.Budget.Workers())
	passed := d.stretches(values)
	for i, v := range values {
		eg.Go(func() (err error) {
			defer passed[i].End()
			parts[i], err = d.rewrite(egctx, out, v, ords[v], passed[i])
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	d.ing.Rescued += out.Rescued.Load() + d.Redelivery.RescuedRows()
	d.ing.Rounded.Add(out.Rounded.Load())
	d.counts.Replaced += d.Redelivery.MovedRows()
	c := d.OutcomeOf(exec.Delta, d.ing)
	for _, p := range parts {
		if p == nil {
			continue
		}
		if len(p.Record.Files) == 0 && p.Record.Shadow.IsZero() {
			c.Removed = append(c.Removed, p.Record.Ordinal)
			continue
		}
		c.Parts = append(c.Parts, p)
	}
	c.NextOrdinal = d.next
	if err := d.extendIndex(ctx, c, ords); err != nil {
		return nil, err
	}
	err := d.Finish(ctx, c, d.ing)
	d.counts.Read, d.counts.Bytes, d.counts.Quarantined = c.Counts.Read, c.Counts.Bytes, c.Counts.Quarantined
	d.counts.Rescued, d.counts.Rounded = c.Counts.Rescued, c.Counts.Rounded
	d.counts.Partitions, d.counts.Written, d.counts.Rows = c.Counts.Partitions, c.Counts.Written, c.Counts.Rows
	c.Counts = d.counts
	return c, err
}

// touchRedelivered touches the partitions that may have rows of the first dump.
func (d *deltaRun) touchRedelivered() {
	if d.Redelivery == nil {
		return
	}
	for _, p := range d.OldParts {
		if p.Newest == nil || *p.Newest >= d.Redelivery.Of {
			d.touched[write.PartValue(p)] = true
		}
	}
}
