package rules

import "cmp"

// Contender is a candidate and its canonical user.
type Contender struct {
	Candidate
	User int64
}

// CompareContenders orders contenders by (key, user, raw user, version, place).
func CompareContenders(a, b Contender) int {
	if a.Key != b.Key {
		return cmp.Compare(a.Key, b.Key)
	}
	if a.User != b.User {
		return cmp.Compare(a.User, b.User)
	}
	if a.Raw != b.Raw {
		return cmp.Compare(a.Raw, b.Raw)
	}
	return compareVersions(a.Candidate, b.Candidate)
}

// compareVersions orders rows of one key and raw user: the last counts.
func compareVersions(a, b Candidate) int {
	if a.Ver != b.Ver {
		return cmp.Compare(a.Ver, b.Ver)
	}
	return cmp.Compare(a.Loc, b.Loc)
}

// Newer reports whether of two rows of one key and raw user a is the one that counts.
func Newer(a, b Candidate) bool { return compareVersions(a, b) > 0 }

// Judge judges as Decide does, but contenders that come one at a time, in the order of
// CompareContenders. It holds two of them, however many there are of a key. End is called
// behind the last.
type Judge struct {
	Set func(loc uint64, v Verdict)

	any, won bool
	last     Contender // the newest so far of its raw user
	best     Candidate // of the raw users before, if won
}

// Add takes the next contender.
func (j *Judge) Add(c Contender) {
	switch {
	case !j.any:
	case c.Key != j.last.Key || c.User != j.last.User:
		j.settle()
		j.won = false
	case c.Raw == j.last.Raw:
		j.Set(j.last.Loc, Drop)
	default:
		j.settle()
	}
	j.any, j.last = true, c
}

// End judges what is left.
func (j *Judge) End() {
	if j.any {
		j.settle()
	}
	j.any, j.won = false, false
}

// settle compares the newest row of a raw user with the best of those before.
func (j *Judge) settle() {
	switch c := j.last.Candidate; {
	case !j.won:
		j.best, j.won = c, true
	case cmp.Or(cmp.Compare(DumpRank(c.Ver), DumpRank(j.best.Ver)), cmp.Compare(c.Raw, j.best.Raw)) > 0:
		j.Set(j.best.Loc, Shadow)
		j.best = c
	default:
		j.Set(c.Loc, Shadow)
	}
}
