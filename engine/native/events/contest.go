package events

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"reconcile/engine/identity"
	"reconcile/engine/index"
	"reconcile/engine/native/write"
)

// hashed is a (user, key hash) that a row or an index entry stands for.
type hashed struct {
	raw  int64
	hash uint32
}

func compareHashed(a, b hashed) int {
	return cmp.Or(cmp.Compare(a.raw, b.raw), cmp.Compare(a.hash, b.hash))
}

func (d *deltaRun) hash(key int64) uint32 { return index.KeyHash(key, d.Task.Thresholds.HashBits) }

// errManyContested says that more rows are contested than the delta path holds.
var errManyContested = errors.New("too many rows are contested")

// contest probes the index and returns, sorted, what is contested: the
// (raw user, hash) pairs that share a bucket (canonical user, hash) with
// another entry, under the old grouping or under the new, if a delivered row or
// a row of a changed user is in that bucket. Only rows behind these can be
// affected by, or affect, a delivered row or a changed user: a bucket without
// either has the rows that it had, and they were judged. The partitions of
// changed users are touched.
func (d *deltaRun) contest(ctx context.Context) (_ []hashed, err error) {
	runs, err := openRuns(ctx, d.Env, d.Old.Index)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, runs.Close()) }()
	users, n := d.deliveredUsers()
	changed := identity.Ascending{IDs: d.changed}
	p := &probe{deltaRun: d, runs: runs}
	p.others = slices.DeleteFunc(identity.Expand(users, d.changed, d.OldMapping, d.NewMapping), changed.Has)
	if err := p.countMoved(ctx, n); err != nil {
		return nil, err
	}
	for p.pass = range p.passes {
		if err := p.run(ctx); err != nil {
			return nil, err
		}
		if len(d.contestedEntries) > d.Env.Limits.Contested() {
			return nil, errManyContested
		}
	}
	index.Sort(d.contestedEntries)
	out := make([]hashed, len(d.contestedEntries))
	for i, e := range d.contestedEntries {
		out[i] = hashed{e.Raw, e.Hash}
	}
	slices.SortFunc(out, compareHashed)
	return slices.Compact(out), nil
}

// deliveredUsers returns the users of the delivered rows, sorted, and the number of rows.
func (d *deltaRun) deliveredUsers() (users []int64, rows int) {
	for _, s := range d.ing.Segments {
		rows += s.Len()
		for _, row := range s.Rows() {
			users = append(users, row.Raw)
		}
	}
	return identity.SortUnique(users), rows
}

// probe looks for contested entries. Of the index it holds those that share a bucket with a
// delivered row or a row of a changed user. Where these are too many there are several passes
// over the index: a bucket has rows of one key hash, and so one pass sees all of them.
type probe struct {
	*deltaRun
	runs         *indexRuns
	others       []int64 // whose rows can be affected, sorted, without those that changed
	passes, pass uint32
	moved        []index.Entry // of changed users, if there is one pass
}

// sees reports whether a hash belongs to the pass.
func (p *probe) sees(hash uint32) bool { return hash%p.passes == p.pass }

// countMoved decides about the number of passes, for so many delivered rows.
func (p *probe) countMoved(ctx context.Context, delivered int) error {
	most, n := p.Env.Limits.Probed(), delivered
	err := p.runs.visit(ctx, p.changed, func(entries []index.Entry) error {
		if n += len(entries); n <= most {
			p.moved = append(p.moved, entries...)
		} else {
			p.moved = nil
		}
		return nil
	})
	p.passes = uint32(max((n+most-1)/most, 1))
	return err
}

// run is one pass.
func (p *probe) run(ctx context.Context) error {
	hits, err := p.movedEntries(ctx)
	if err != nil {
		return err
	}
	p.touchMoved(hits)
	was, now := p.openBuckets(hits)
	err = p.runs.visit(ctx, p.others, func(entries []index.Entry) error {
		a, b := p.OldMapping.Canon(entries[0].Raw), p.NewMapping.Canon(entries[0].Raw)
		for _, e := range entries {
			if p.sees(e.Hash) && (was.openCount(a, e.Hash) != nil || now.openCount(b, e.Hash) != nil) {
				hits = append(hits, e)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	index.Sort(hits)
	p.intersect(slices.Compact(hits), was, now)
	return nil
}

// movedEntries returns the entries of changed users that the pass sees, in order.
func (p *probe) movedEntries(ctx context.Context) ([]index.Entry, error) {
	moved := p.moved
	if p.passes > 1 {
		moved = nil
		err := p.runs.visit(ctx, p.changed, func(entries []index.Entry) error {
			for _, e := range entries {
				if p.sees(e.Hash) {
					moved = append(moved, e)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	index.Sort(moved)
	return slices.Compact(moved), nil
}

// touchMoved touches the partitions of entries of changed users.
func (p *probe) touchMoved(moved []index.Entry) {
	for _, e := range moved {
		if part := p.byOrd[e.Part]; part != nil {
			p.touched[write.PartValue(part)] = true
			p.counts.Rekeyed++
		}
	}
}

// openBuckets opens the buckets of delivered rows and of entries of changed users, as they
// were and as they are now, and counts the delivered rows.
func (p *probe) openBuckets(moved []index.Entry) (was, now *buckets) {
	n := len(moved)
	for _, s := range p.ing.Segments {
		for _, row := range s.Rows() {
			if p.sees(p.hash(row.Key)) {
				n++
			}
		}
	}
	was, now = newBuckets(n), newBuckets(n)
	for _, s := range p.ing.Segments {
		for _, row := range s.Rows() {
			if h := p.hash(row.Key); p.sees(h) {
				*was.openBucket(p.OldMapping.Canon(row.Raw), h)++
				*now.openBucket(p.NewMapping.Canon(row.Raw), h)++
			}
		}
	}
	for _, e := range moved {
		was.openBucket(p.OldMapping.Canon(e.Raw), e.Hash)
		now.openBucket(p.NewMapping.Canon(e.Raw), e.Hash)
	}
	return was, now
}

// intersect sorts entries into the buckets that are open and keeps those that are not
// alone there.
func (p *probe) intersect(hits []index.Entry, was, now *buckets) {
	count := func(e index.Entry) (x, y *uint32) {
		return was.openCount(p.OldMapping.Canon(e.Raw), e.Hash), now.openCount(p.NewMapping.Canon(e.Raw), e.Hash)
	}
	for _, e := range hits {
		x, y := count(e)
		if x != nil {
			*x++
		}
		if y != nil {
			*y++
		}
	}
	for _, e := range hits {
		if x, y := count(e); x != nil && *x > 2 || y != nil && *y > 2 {
			p.contestedEntries = append(p.contestedEntries, e)
		}
	}
}
