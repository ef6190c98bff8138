package events

import (
	"cmp"
	"context"
	"math/bits"
	"slices"

	"reconcile/engine/identity"
	"reconcile/engine/index"
	"reconcile/engine/native/write"
	"reconcile/internal/column"
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

// contest probes the index and returns, sorted, what is contested: the
// (raw user, hash) pairs that share a bucket (canonical user, hash) with
// another entry, under the old grouping or under the new, if a delivered row or
// a row of a changed user is in that bucket. Only rows behind these can be
// affected by, or affect, a delivered row or a changed user: a bucket without
// either has the rows that it had, and they were judged. The partitions of
// changed users are touched.
func (d *deltaRun) contest(ctx context.Context) ([]hashed, error) {
	var users []int64
	n := 0
	for _, s := range d.ing.Segments {
		n += s.Len()
		for _, row := range s.Rows() {
			users = append(users, row.Raw)
		}
	}
	slices.Sort(users)
	g := identity.Expand(slices.Compact(users), d.changed, d.OldMapping, d.NewMapping)
	known, err := lookupIndex(ctx, d.Env, d.Old.Index, g)
	if err != nil {
		return nil, err
	}
	moved, entries := d.rekeyed(known)
	was, now := newBuckets(n+entries), newBuckets(n+entries)
	for _, s := range d.ing.Segments {
		for _, row := range s.Rows() {
			h := d.hash(row.Key)
			*was.openBucket(d.OldMapping.Canon(row.Raw), h)++
			*now.openBucket(d.NewMapping.Canon(row.Raw), h)++
		}
	}
	for _, of := range moved {
		before, after := d.OldMapping.Canon(of[0].Raw), d.NewMapping.Canon(of[0].Raw)
		for _, e := range of {
			was.openBucket(before, e.Hash)
			now.openBucket(after, e.Hash)
		}
	}
	return d.intersect(known, was, now), nil
}

// rekeyed returns the entries of changed users, by user, and their number. It touches
// their partitions.
func (d *deltaRun) rekeyed(known []index.Entry) (moved [][]index.Entry, n int) {
	changed := identity.Ascending{IDs: d.changed}
	for len(known) > 0 {
		k := 1
		for k < len(known) && known[k].Raw == known[0].Raw {
			k++
		}
		if changed.Has(known[0].Raw) {
			moved, n = append(moved, known[:k]), n+k
		}
		known = known[k:]
	}
	for _, of := range moved {
		for _, e := range of {
			if p := d.byOrd[e.Part]; p != nil {
				d.touched[write.PartValue(p)] = true
				d.counts.Rekeyed++
			}
		}
	}
	return moved, n
}

// intersect sorts entries into the buckets that are open and keeps those that are not
// alone there.
func (d *deltaRun) intersect(known []index.Entry, was, now *buckets) []hashed {
	var hits []index.Entry
	var raw, a, b int64
	for i, e := range known {
		if i == 0 || e.Raw != raw {
			raw, a, b = e.Raw, d.OldMapping.Canon(e.Raw), d.NewMapping.Canon(e.Raw)
		}
		x, y := was.openCount(a, e.Hash), now.openCount(b, e.Hash)
		if x != nil {
			*x++
		}
		if y != nil {
			*y++
		}
		if x != nil || y != nil {
			hits = append(hits, e)
		}
	}
	var out []hashed
	for _, e := range hits {
		x, y := was.openCount(d.OldMapping.Canon(e.Raw), e.Hash), now.openCount(d.NewMapping.Canon(e.Raw), e.Hash)
		if x != nil && *x > 2 || y != nil && *y > 2 {
			d.contestedEntries = append(d.contestedEntries, e)
			out = append(out, hashed{e.Raw, e.Hash})
		}
	}
	slices.SortFunc(out, compareHashed)
	return slices.Compact(out)
}

// buckets counts the rows of (canonical user, key hash) pairs, of those that
// were opened. It holds a fixed number of them.
type buckets struct {
	slots []bucket
	shift int
}

type bucket struct {
	user int64
	hash uint32
	n    uint32 // rows, plus one once it is open
}

func newBuckets(n int) *buckets {
	b := bits.Len(uint(2 * n)) // a quarter to half of the slots will be in use
	return &buckets{slots: column.Zeros[bucket](1 << b), shift: 64 - b}
}

func (b *buckets) slot(user int64, hash uint32) *bucket {
	at := (uint64(user)*0x9e3779b97f4a7c15 ^ uint64(hash)) * 0xff51afd7ed558ccd >> b.shift
	for {
		s := &b.slots[at]
		if s.n == 0 || s.user == user && s.hash == hash {
			return s
		}
		if at++; at == uint64(len(b.slots)) {
			at = 0
		}
	}
}

// openBucket returns the count of a bucket, which is open from then on. Counts are one
// too great.
func (b *buckets) openBucket(user int64, hash uint32) *uint32 {
	s := b.slot(user, hash)
	if s.n == 0 {
		*s = bucket{user, hash, 1}
	}
	return &s.n
}

// openCount returns the count of a bucket, nil if it is not open.
func (b *buckets) openCount(user int64, hash uint32) *uint32 {
	if s := b.slot(user, hash); s.n > 0 {
		return &s.n
	}
	return nil
}
