package rules

import (
	"cmp"
	"math/bits"
	"slices"

	"reconcile/internal/column"
)

// Verdict is what becomes of a row of an event.
type Verdict uint32

// The verdicts. Publish is the zero value: most rows are.
const (
	Publish Verdict = iota
	Shadow          // kept beside the table: hidden by another raw user's row
	Drop            // replaced by a newer row of its raw key
)

// Candidate is what must be known of a row to judge it. Loc is the caller's: where
// the row is. Of two rows of one key, raw user and version, as a stored one and
// itself when its dump is read again, the one of the greater Loc counts.
type Candidate struct {
	Key, Raw int64
	Ver      uint64
	Loc      uint64
}

const bucketBits = 6

// Buckets is the number of parts that keys are spread over by hash: all rows of one
// key are in the same part, so that each part can be judged alone.
const Buckets = 1 << bucketBits

// BucketOf returns the bucket of a key.
func BucketOf(key int64) int { return int(keyHash(key) >> (64 - bucketBits)) }

// keyHash spreads keys over the high bits of its result.
func keyHash(key int64) uint64 { return uint64(key) * 0x9e3779b97f4a7c15 }

// Decide judges rows of events: set is called with the Loc of every row that is not to
// be published. candidates must hold all rows of each key that it holds any of. canon
// gives a raw user's canonical user.
//
// The contract: first per (key, raw user) the row of the greatest version; then per
// (key, canonical user) the row of the greatest (dump, raw user). The losers of the
// first step are dropped for ever: both rows have one raw user, hence always one
// canonical user, so no mapping can part them. Those of the second are kept as shadows:
// a mapping can.
func Decide(candidates []Candidate, canon func(int64) int64, set func(loc uint64, v Verdict)) {
	candidates = repeated(candidates)
	slices.SortFunc(candidates, func(a, b Candidate) int {
		if a.Key != b.Key {
			return cmp.Compare(a.Key, b.Key)
		}
		if a.Raw != b.Raw {
			return cmp.Compare(a.Raw, b.Raw)
		}
		return compareVersions(a, b)
	})
	for i := 0; i < len(candidates); {
		j := i + 1
		for j < len(candidates) && candidates[j].Key == candidates[i].Key {
			j++
		}
		decideKey(candidates[i:j], canon, set)
		i = j
	}
}

// repeated returns the rows whose key others have, too. Few have: looking for them
// costs less than sorting all.
func repeated(candidates []Candidate) []Candidate {
	const found = 1 << 31 // of a place: its row is among those returned
	shift := 64 - bits.Len(uint(2*len(candidates)))
	table := column.Zeros[uint32](1 << (64 - shift)) // places in candidates, from 1
	var out []Candidate
	for i := range candidates {
		at := keyHash(candidates[i].Key) << bucketBits >> shift
		for table[at] != 0 && candidates[table[at]&^found-1].Key != candidates[i].Key {
			at = (at + 1) & uint64(len(table)-1)
		}
		switch first := table[at]; {
		case first == 0:
			table[at] = uint32(i + 1)
			continue
		case first&found == 0:
			out = append(out, candidates[first-1])
			table[at] |= found
		}
		out = append(out, candidates[i])
	}
	return out
}

// decideKey judges the rows of one key, sorted by (raw, version, loc).
func decideKey(candidates []Candidate, canon func(int64) int64, set func(loc uint64, v Verdict)) {
	n := 0 // candidates[:n] becomes the newest row of each raw user
	for i := range candidates {
		if i+1 < len(candidates) && candidates[i+1].Raw == candidates[i].Raw {
			set(candidates[i].Loc, Drop)
			continue
		}
		candidates[n] = candidates[i]
		n++
	}
	if n == 1 {
		return
	}
	type member struct {
		user int64
		row  Candidate
	}
	group := make([]member, n)
	for i, r := range candidates[:n] {
		group[i] = member{canon(r.Raw), r}
	}
	// The winner of each user comes last.
	slices.SortFunc(group, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.user, b.user),
			cmp.Compare(DumpRank(a.row.Ver), DumpRank(b.row.Ver)),
			cmp.Compare(a.row.Raw, b.row.Raw))
	})
	for i := range group[:n-1] {
		if group[i].user == group[i+1].user {
			set(group[i].row.Loc, Shadow)
		}
	}
}
