package merge

import (
	"cmp"
	"math/bits"
	"slices"

	"reconcile/engine/rows"
	"reconcile/internal/column"
)

// Rec is what must be known of a row to judge it. Loc is the caller's: where
// the row is. Of two rows of one key, raw user and version, as a stored one and
// itself when its dump is read again, the one of the greater Loc counts.
type Rec struct {
	Key, Raw int64
	Ver      uint64
	Loc      uint64
}

// Decide judges rows: set is called with the Loc of every row that is not to
// be published. recs must hold all rows of each key that it holds any of. canon
// gives a raw user's canonical user.
func Decide(recs []Rec, canon func(int64) int64, set func(loc uint64, v rows.Verdict)) {
	recs = repeated(recs)
	slices.SortFunc(recs, func(a, b Rec) int {
		if a.Key != b.Key {
			return cmp.Compare(a.Key, b.Key)
		}
		if a.Raw != b.Raw {
			return cmp.Compare(a.Raw, b.Raw)
		}
		if a.Ver != b.Ver {
			return cmp.Compare(a.Ver, b.Ver)
		}
		return cmp.Compare(a.Loc, b.Loc)
	})
	for i := 0; i < len(recs); {
		j := i + 1
		for j < len(recs) && recs[j].Key == recs[i].Key {
			j++
		}
		decideKey(recs[i:j], canon, set)
		i = j
	}
}

// repeated returns the rows whose key others have, too. Few have: looking for them
// costs less than sorting all.
func repeated(recs []Rec) []Rec {
	const found = 1 << 31 // of a place: its row is among those returned
	shift := 64 - bits.Len(uint(2*len(recs)))
	table := column.Zeros[uint32](1 << (64 - shift)) // places in recs, from 1
	var out []Rec
	for i := range recs {
		at := keyHash(recs[i].Key) << bucketBits >> shift
		for table[at] != 0 && recs[table[at]&^found-1].Key != recs[i].Key {
			at = (at + 1) & uint64(len(table)-1)
		}
		switch first := table[at]; {
		case first == 0:
			table[at] = uint32(i + 1)
			continue
		case first&found == 0:
			out = append(out, recs[first-1])
			table[at] |= found
		}
		out = append(out, recs[i])
	}
	return out
}

// decideKey judges the rows of one key, sorted by (raw, version, loc).
func decideKey(recs []Rec, canon func(int64) int64, set func(loc uint64, v rows.Verdict)) {
	n := 0 // recs[:n] becomes the newest row of each raw user
	for i := range recs {
		if i+1 < len(recs) && recs[i+1].Raw == recs[i].Raw {
			set(recs[i].Loc, rows.Drop)
			continue
		}
		recs[n] = recs[i]
		n++
	}
	if n == 1 {
		return
	}
	type member struct {
		user int64
		rec  Rec
	}
	group := make([]member, n)
	for i, r := range recs[:n] {
		group[i] = member{canon(r.Raw), r}
	}
	// The winner of each user comes last.
	slices.SortFunc(group, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.user, b.user),
			cmp.Compare(rows.DumpRank(a.rec.Ver), rows.DumpRank(b.rec.Ver)),
			cmp.Compare(a.rec.Raw, b.rec.Raw))
	})
	for i := range group[:n-1] {
		if group[i].user == group[i+1].user {
			set(group[i].rec.Loc, rows.Shadow)
		}
	}
}
