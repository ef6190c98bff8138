package events

import (
	"context"
	"slices"

	"reconcile/engine/identity"
	"reconcile/engine/native/redelivery"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
)

// groupPlan is what becomes of a row group.
type groupPlan struct {
	file        *spliceFile
	at          int // its number in the file
	base, rows  int // its first row in the partition, their number
	lo, hi      int // the extra rows that fall between it and the next
	dirty       bool
	rekeyed     bool
	redelivered bool
}

// place gives the next row group of a file the rows that come to it from at on and
// fall between it and the one behind it; what is less than its first row is the
// group's before. It returns where the group's rows begin.
func (s *splice) place(p *groupPlan, least *rules.Row, at int) int {
	extra := p.file.extra
	if p.at > 0 && least != nil {
		n, _ := slices.BinarySearchFunc(extra[at:], least, func(e extraRow, r *rules.Row) int { return compareRows(e.row(), r) })
		at += n
		s.groups[len(s.groups)-1].hi = at
	}
	p.lo, p.hi = at, len(extra)
	return at
}

// plan decides what becomes of each row group, and reports whether anything
// changes.
func (s *splice) plan(ctx context.Context) (changes bool, err error) {
	base, overridden := 0, s.overrides.positions()
	for _, f := range s.files {
		at := 0
		f.lo = len(s.groups)
		for i, n := range f.rd.Groups() {
			p := groupPlan{file: f, at: i, base: base, rows: n}
			base += n
			least, err := s.probe(ctx, &p)
			if err != nil {
				return false, err
			}
			at = s.place(&p, least, at)
			k, _ := slices.BinarySearch(overridden, p.base)
			p.dirty = k < len(overridden) && overridden[k] < base
			s.groups = append(s.groups, p)
		}
		f.hi = len(s.groups)
	}
	changes = slices.ContainsFunc(s.rest, func(e extraRow) bool { return e.verdict() == rules.Publish })
	for g := range s.groups {
		p := &s.groups[g]
		p.dirty = p.dirty || slices.ContainsFunc(p.file.extra[p.lo:p.hi], func(e extraRow) bool { return e.verdict() == rules.Publish })
		changes = changes || p.dirty || p.rekeyed || p.redelivered
	}
	return changes || s.hides || s.redelivered != nil, nil
}

// probe finds out which columns of a row group change, and reads its first row if
// there are extra rows to be placed around it.
func (s *splice) probe(ctx context.Context, p *groupPlan) (least *rules.Row, err error) {
	if p.redelivered, err = s.d.Redelivery.Holds(ctx, p.file.rd, p.at, redelivery.OfRows); err != nil {
		return nil, err
	}
	places := len(p.file.extra) > 0
	if !places && len(s.d.changed) == 0 {
		return nil, nil
	}
	l := s.d.layout
	want := l.Only(l.RawUser)
	if places {
		want = l.Only(l.Key, l.RawUser)
	}
	b := s.probed
	if err := p.file.rd.Group(ctx, p.at, want, b); err != nil {
		return nil, err
	}
	raws := b.Col(feed.RawUserID).Ints
	p.rekeyed = s.d.rekeys(raws)
	if !places || b.N == 0 {
		return nil, nil
	}
	return &rules.Row{Raw: raws[0], Key: b.Col(s.d.Schema.KeyName).Ints[0]}, nil
}

// rekeys reports whether the canonical user of any of the raw users, who are
// sorted, is another than before.
func (d *deltaRun) rekeys(raws []int64) bool {
	if len(raws) == 0 {
		return false
	}
	from, _ := slices.BinarySearch(d.changed, raws[0])
	changed := identity.Ascending{IDs: d.changed[from:]}
	return slices.ContainsFunc(raws, changed.Has)
}
