package index

import (
	"context"
	"errors"
	"slices"
	"sort"
)

// Stats counts the work of a look-up.
type Stats struct {
	Probes int   // users asked for
	Passed int   // of these, the ones that the filters let pass
	Blocks int   // blocks read
	Bytes  int64 // bytes read
}

// add adds the counts of o.
func (s *Stats) add(o Stats) {
	s.Probes += o.Probes
	s.Passed += o.Passed
	s.Blocks += o.Blocks
	s.Bytes += o.Bytes
}

var errUnsorted = errors.New("looking up users in an index run: the users are not ascending")

// visit calls fn with the entries of each of the users that the run knows, in
// ascending order; the entries are valid during the call. A user with very many
// entries comes in several calls. The users must be ascending and distinct. It
// reads only blocks that can hold a user that the filter lets pass, each once.
func (r *Run) visit(ctx context.Context, raws []int64, fn func([]Entry) error) (Stats, error) {
	v := visitor{run: r, fn: fn, span: span{run: r}, stats: Stats{Probes: len(raws)}}
	for i := 1; i < len(raws); i++ {
		if raws[i] <= raws[i-1] {
			return v.stats, errUnsorted
		}
	}
	for i := range r.segs {
		s := &r.segs[i]
		lo, _ := slices.BinarySearch(raws, s.first())
		raws = raws[lo:]
		hi := sort.Search(len(raws), func(i int) bool { return raws[i] > s.last() })
		if hi == 0 {
			continue
		}
		if err := v.segment(ctx, i, raws[:hi]); err != nil {
			return v.stats, err
		}
		raws = raws[hi:]
	}
	return v.stats, nil
}

// Visit calls fn with the entries of the users in each of the runs, one run after the other,
// as visit does. What several runs have comes several times.
func Visit(ctx context.Context, runs []*Run, raws []int64, fn func([]Entry) error) (Stats, error) {
	var stats Stats
	for _, r := range runs {
		s, err := r.visit(ctx, raws, fn)
		stats.add(s)
		if err != nil {
			return stats, err
		}
	}
	return stats, nil
}

type visitor struct {
	run   *Run
	fn    func([]Entry) error
	span  span
	stats Stats
	hits  []int64
	need  []blockInfo
}

// segment looks up users that are all within the range of segment i.
func (v *visitor) segment(ctx context.Context, i int, raws []int64) error {
	s := &v.run.segs[i]
	v.hits = raws
	if s.filterLen > 0 {
		f := v.run.filters[i]
		if f == nil {
			var err error
			if f, err = v.run.readFilter(s); err != nil {
				return err
			}
			v.stats.Bytes += int64(s.filterLen)
		}
		v.hits = make([]int64, 0, len(raws)/8+16)
		for _, raw := range raws {
			if f.Contains(uint64(raw)) {
				v.hits = append(v.hits, raw)
			}
		}
	}
	v.stats.Passed += len(v.hits)
	v.plan(s.blocks)
	return v.read(ctx)
}

// plan lists the blocks that can hold a hit, ascending, each once.
func (v *visitor) plan(blocks []blockInfo) {
	v.need = v.need[:0]
	for _, raw := range v.hits {
		blocks = blocks[sort.Search(len(blocks), func(i int) bool { return blocks[i].last >= raw }):]
		for len(blocks) > 0 && blocks[0].first <= raw {
			v.need = append(v.need, blocks[0])
			blocks = blocks[1:]
		}
	}
}

// read reads the listed blocks, neighbours together, and visits the hits.
func (v *visitor) read(ctx context.Context) error {
	for need := v.need; len(need) > 0; {
		near := 1
		for near < len(need) && need[near].off == need[near-1].off+int64(need[near-1].size) {
			near++
		}
		n, size, err := v.span.fill(ctx, need[:near])
		if err != nil {
			return err
		}
		need = need[n:]
		v.stats.Blocks += n
		v.stats.Bytes += int64(size)
		for range n {
			entries, err := v.span.next(v.hits)
			if err != nil {
				return err
			}
			if err := v.match(entries); err != nil {
				return err
			}
		}
	}
	return nil
}

// match calls fn for the hits among the entries of a block. A hit that the
// block ends with stays, as the next block can go on with it.
func (v *visitor) match(entries []Entry) error {
	for len(v.hits) > 0 {
		raw := v.hits[0]
		lo := sort.Search(len(entries), func(i int) bool { return entries[i].Raw >= raw })
		entries = entries[lo:]
		if len(entries) == 0 {
			return nil
		}
		n := 0
		for n < len(entries) && entries[n].Raw == raw {
			n++
		}
		if n > 0 {
			if err := v.fn(entries[:n:n]); err != nil {
				return err
			}
		}
		if n == len(entries) {
			return nil
		}
		entries = entries[n:]
		v.hits = v.hits[1:]
	}
	return nil
}
