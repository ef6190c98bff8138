package rules

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// ver packs a version of small numbers.
func ver(t testing.TB, dump, file, row int) uint64 {
	t.Helper()
	v, err := Version(dump, file, row)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// judged returns the verdict of every row, by Loc, and fails if one is judged
// twice or a verdict is said that needs no saying.
func judged(t testing.TB, recs []Candidate, canon func(int64) int64) map[uint64]Verdict {
	t.Helper()
	out := map[uint64]Verdict{}
	for _, r := range recs {
		out[r.Loc] = Publish
	}
	if len(out) != len(recs) {
		t.Fatalf("%d rows have %d places", len(recs), len(out))
	}
	Decide(recs, canon, func(loc uint64, v Verdict) {
		if was, ok := out[loc]; !ok || was != Publish || v == Publish {
			t.Errorf("row %d was %d and is said to be %d", loc, was, v)
		}
		out[loc] = v
	})
	return out
}

// through makes a canon of a table of users.
func through(m map[int64]int64) func(int64) int64 {
	return func(u int64) int64 {
		if to, ok := m[u]; ok {
			return to
		}
		return u
	}
}

// given is a row as a test writes it, and what must become of it.
type given struct {
	key, raw        int64
	dump, file, row int
	want            Verdict
}

// The contract: first, per (key, raw user), the row of the greatest version;
// then, per (key, canonical user), the row of the greatest (dump, raw user).
var contract = []struct {
	name  string
	canon map[int64]int64
	rows  []given
}{
	{name: "no rows"},
	{name: "a row alone", rows: []given{{1, 10, 0, 0, 0, Publish}}},
	{name: "a dump beats the place in it", rows: []given{
		{1, 10, 1, 9, 9, Drop}, {1, 10, 2, 0, 0, Publish},
	}},
	{name: "a later file beats the place in it", rows: []given{
		{1, 10, 1, 0, 9, Drop}, {1, 10, 1, 1, 0, Publish},
	}},
	{name: "the last row of a file counts", rows: []given{
		{1, 10, 1, 0, 0, Drop}, {1, 10, 1, 0, 1, Drop}, {1, 10, 1, 0, 2, Publish},
	}},
	{name: "other keys and other users are other rows", rows: []given{
		{1, 10, 1, 0, 0, Publish}, {2, 10, 1, 0, 1, Publish},
		{1, 11, 1, 0, 2, Publish}, {-1, 10, 1, 0, 3, Publish},
	}},
	{name: "merged users have one row, of the newest dump", canon: map[int64]int64{11: 10}, rows: []given{
		{1, 10, 1, 0, 0, Shadow}, {1, 11, 2, 0, 0, Publish},
		{2, 10, 2, 0, 1, Publish}, {2, 11, 1, 0, 1, Shadow},
	}},
	{name: "in one dump the greater raw user counts, not the later row", canon: map[int64]int64{11: 10}, rows: []given{
		{1, 11, 1, 0, 0, Publish}, {1, 10, 1, 5, 5, Shadow},
	}},
	{name: "raw users compare as signed numbers", canon: map[int64]int64{-5: 3, math.MinInt64: 3, math.MaxInt64: 3}, rows: []given{
		{1, -5, 1, 0, 0, Shadow}, {1, 3, 1, 0, 1, Publish},
		{2, math.MinInt64, 1, 0, 2, Shadow}, {2, -5, 1, 0, 3, Publish},
		{3, math.MinInt64, 1, 0, 4, Shadow}, {3, 3, 1, 0, 5, Shadow}, {3, math.MaxInt64, 1, 0, 6, Publish},
	}},
	{name: "the raw user's newest row stands for it before users meet", canon: map[int64]int64{11: 10}, rows: []given{
		{1, 10, 1, 0, 0, Drop}, {1, 11, 2, 0, 0, Shadow}, {1, 10, 3, 0, 0, Publish},
	}},
	{name: "a hidden user's older rows are dropped, not hidden", canon: map[int64]int64{11: 10}, rows: []given{
		{1, 11, 1, 0, 0, Drop}, {1, 11, 2, 0, 0, Shadow}, {1, 10, 3, 0, 0, Publish},
	}},
	{name: "the canonical user itself need have no row", canon: map[int64]int64{11: 10, 12: 10}, rows: []given{
		{1, 11, 1, 0, 0, Shadow}, {1, 12, 1, 0, 1, Publish},
	}},
	{name: "two groups of one key do not meet", canon: map[int64]int64{11: 10, 21: 20}, rows: []given{
		{1, 10, 1, 0, 0, Shadow}, {1, 11, 1, 0, 1, Publish},
		{1, 20, 3, 0, 0, Publish}, {1, 21, 2, 0, 0, Shadow},
	}},
	{name: "taken back, every user has its row again", rows: []given{
		{1, 10, 1, 0, 0, Publish}, {1, 11, 2, 0, 0, Publish}, {1, 12, 2, 0, 1, Publish},
	}},
	{name: "extreme keys and versions", rows: []given{
		{math.MinInt64, math.MinInt64, 0, 0, 0, Drop}, {math.MinInt64, math.MinInt64, 1<<20 - 1, 1<<16 - 1, 1<<28 - 1, Publish},
		{math.MaxInt64, math.MaxInt64, 1<<20 - 1, 0, 0, Publish}, {math.MaxInt64, math.MaxInt64, 1<<20 - 2, 1<<16 - 1, 1<<28 - 1, Drop},
	}},
}

func TestDecide(t *testing.T) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			recs := make([]Candidate, len(c.rows))
			for i, g := range c.rows {
				recs[i] = Candidate{Key: g.key, Raw: g.raw, Ver: ver(t, g.dump, g.file, g.row), Loc: uint64(i)}
			}
			r := rand.New(rand.NewPCG(1, 2))
			for range 10 { // in any order
				r.Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
				for loc, got := range judged(t, slices.Clone(recs), through(c.canon)) {
					if g := c.rows[loc]; got != g.want {
						t.Errorf("%+v: verdict %d", g, got)
					}
				}
			}
		})
	}
}

// TestEqualVersions: of rows that nothing else tells apart the one of the greatest Loc
// counts, in whatever order they come.
func TestEqualVersions(t *testing.T) {
	var recs []Candidate
	for key := range int64(50) {
		for place := range uint64(3) {
			recs = append(recs, Candidate{Key: key, Raw: 10, Ver: 1 << 44, Loc: place<<40 | uint64(key)})
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		r.Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
		for loc, got := range judged(t, slices.Clone(recs), through(nil)) {
			if want := loc>>40 == 2; (got == Publish) != want {
				t.Errorf("place %d of row %d: verdict %d", loc>>40, loc&(1<<40-1), got)
			}
		}
	}
}

// naive judges by comparing every row with every other one.
func naive(recs []Candidate, canon func(int64) int64) map[uint64]Verdict {
	out := map[uint64]Verdict{}
	for _, a := range recs {
		out[a.Loc] = Publish
		for _, b := range recs {
			if a.Key == b.Key && a.Raw == b.Raw && a.Ver < b.Ver {
				out[a.Loc] = Drop
			}
		}
	}
	for _, a := range recs {
		for _, b := range recs {
			if out[a.Loc] != Publish || out[b.Loc] == Drop || a.Key != b.Key || canon(a.Raw) != canon(b.Raw) {
				continue
			}
			if cmp.Or(cmp.Compare(DumpRank(a.Ver), DumpRank(b.Ver)), cmp.Compare(a.Raw, b.Raw)) < 0 {
				out[a.Loc] = Shadow
			}
		}
	}
	return out
}

// decode makes rows of a few keys, users and dumps out of any bytes, six a row.
// No two have one version.
func decode(data []byte) (recs []Candidate, canon func(int64) int64) {
	m := map[int64]int64{}
	for i := 0; i+6 <= len(data) && len(recs) < 200; i += 6 {
		raw := int64(int8(data[i+1] % 8))
		recs = append(recs, Candidate{
			Key: int64(int8(data[i])) % 4, Raw: raw - 4, Loc: uint64(len(recs)),
			Ver: uint64(data[i+2]%4)<<44 | uint64(data[i+3]%2)<<28 | uint64(len(recs)),
		})
		if data[i+4]%2 == 0 {
			m[raw-4] = int64(data[i+5]%4) - 2
		}
	}
	return recs, through(m)
}

func FuzzDecide(f *testing.F) {
	for _, seed := range []string{"", "abcdef", "aaaaaaabababcabcad", strings.Repeat("\x01\x02\x03\x00\x00\x01\x01\x03\x03\x01\x00\x01", 9)} {
		f.Add([]byte(seed))
	}
	r := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		seed := make([]byte, 6*r.IntN(60))
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		recs, canon := decode(data)
		want := naive(recs, canon)
		for loc, v := range judged(t, slices.Clone(recs), canon) {
			if v != want[loc] {
				t.Fatalf("row %d: verdict %d, want %d; rows %+v", loc, v, want[loc], recs)
			}
		}
	})
}

// Keys that are close, far and of one residue spread over the buckets, or one
// bucket would hold everything.
func TestBucketsSpread(t *testing.T) {
	for name, key := range map[string]func(i int) int64{
		"counting": func(i int) int64 { return int64(i) },
		"of 64":    func(i int) int64 { return int64(i) << 6 },
		"of 2^32":  func(i int) int64 { return int64(i) << 32 },
		"negative": func(i int) int64 { return -int64(i) },
		"random":   func(i int) int64 { return int64(binary.LittleEndian.Uint64([]byte(fmt.Sprintf("%08d", i)))) },
	} {
		var n [Buckets]int
		const each = 1000
		for i := range each * Buckets {
			n[BucketOf(key(i))]++
		}
		if most := slices.Max(n[:]); most > 4*each {
			t.Errorf("%s: one bucket has %d of %d keys", name, most, each*Buckets)
		}
	}
}
