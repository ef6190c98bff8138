package merge

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/rows"
)

// ver packs a version of small numbers.
func ver(t testing.TB, dump, file, row int) uint64 {
	t.Helper()
	v, err := rows.Version(dump, file, row)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// judged returns the verdict of every row, by Loc, and fails if one is judged
// twice or a verdict is said that needs no saying.
func judged(t testing.TB, recs []Rec, canon func(int64) int64) map[uint64]rows.Verdict {
	t.Helper()
	out := map[uint64]rows.Verdict{}
	for _, r := range recs {
		out[r.Loc] = rows.Publish
	}
	if len(out) != len(recs) {
		t.Fatalf("%d rows have %d places", len(recs), len(out))
	}
	Decide(recs, canon, func(loc uint64, v rows.Verdict) {
		if was, ok := out[loc]; !ok || was != rows.Publish || v == rows.Publish {
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
	want            rows.Verdict
}

// The contract: first, per (key, raw user), the row of the greatest version;
// then, per (key, canonical user), the row of the greatest (dump, raw user).
var contract = []struct {
	name  string
	canon map[int64]int64
	rows  []given
}{
	{name: "no rows"},
	{name: "a row alone", rows: []given{{1, 10, 0, 0, 0, rows.Publish}}},
	{name: "a dump beats the place in it", rows: []given{
		{1, 10, 1, 9, 9, rows.Drop}, {1, 10, 2, 0, 0, rows.Publish},
	}},
	{name: "a later file beats the place in it", rows: []given{
		{1, 10, 1, 0, 9, rows.Drop}, {1, 10, 1, 1, 0, rows.Publish},
	}},
	{name: "the last row of a file counts", rows: []given{
		{1, 10, 1, 0, 0, rows.Drop}, {1, 10, 1, 0, 1, rows.Drop}, {1, 10, 1, 0, 2, rows.Publish},
	}},
	{name: "other keys and other users are other rows", rows: []given{
		{1, 10, 1, 0, 0, rows.Publish}, {2, 10, 1, 0, 1, rows.Publish},
		{1, 11, 1, 0, 2, rows.Publish}, {-1, 10, 1, 0, 3, rows.Publish},
	}},
	{name: "merged users have one row, of the newest dump", canon: map[int64]int64{11: 10}, rows: []given{
		{1, 10, 1, 0, 0, rows.Shadow}, {1, 11, 2, 0, 0, rows.Publish},
		{2, 10, 2, 0, 1, rows.Publish}, {2, 11, 1, 0, 1, rows.Shadow},
	}},
	{name: "in one dump the greater raw user counts, not the later row", canon: map[int64]int64{11: 10}, rows: []given{
		{1, 11, 1, 0, 0, rows.Publish}, {1, 10, 1, 5, 5, rows.Shadow},
	}},
	{name: "raw users compare as signed numbers", canon: map[int64]int64{-5: 3, math.MinInt64: 3, math.MaxInt64: 3}, rows: []given{
		{1, -5, 1, 0, 0, rows.Shadow}, {1, 3, 1, 0, 1, rows.Publish},
		{2, math.MinInt64, 1, 0, 2, rows.Shadow}, {2, -5, 1, 0, 3, rows.Publish},
		{3, math.MinInt64, 1, 0, 4, rows.Shadow}, {3, 3, 1, 0, 5, rows.Shadow}, {3, math.MaxInt64, 1, 0, 6, rows.Publish},
	}},
	{name: "the raw user's newest row stands for it before users meet", canon: map[int64]int64{11: 10}, rows: []given{
		{1, 10, 1, 0, 0, rows.Drop}, {1, 11, 2, 0, 0, rows.Shadow}, {1, 10, 3, 0, 0, rows.Publish},
	}},
	{name: "a hidden user's older rows are dropped, not hidden", canon: map[int64]int64{11: 10}, rows: []given{
		{1, 11, 1, 0, 0, rows.Drop}, {1, 11, 2, 0, 0, rows.Shadow}, {1, 10, 3, 0, 0, rows.Publish},
	}},
	{name: "the canonical user itself need have no row", canon: map[int64]int64{11: 10, 12: 10}, rows: []given{
		{1, 11, 1, 0, 0, rows.Shadow}, {1, 12, 1, 0, 1, rows.Publish},
	}},
	{name: "two groups of one key do not meet", canon: map[int64]int64{11: 10, 21: 20}, rows: []given{
		{1, 10, 1, 0, 0, rows.Shadow}, {1, 11, 1, 0, 1, rows.Publish},
		{1, 20, 3, 0, 0, rows.Publish}, {1, 21, 2, 0, 0, rows.Shadow},
	}},
	{name: "taken back, every user has its row again", rows: []given{
		{1, 10, 1, 0, 0, rows.Publish}, {1, 11, 2, 0, 0, rows.Publish}, {1, 12, 2, 0, 1, rows.Publish},
	}},
	{name: "extreme keys and versions", rows: []given{
		{math.MinInt64, math.MinInt64, 0, 0, 0, rows.Drop}, {math.MinInt64, math.MinInt64, 1<<20 - 1, 1<<16 - 1, 1<<28 - 1, rows.Publish},
		{math.MaxInt64, math.MaxInt64, 1<<20 - 1, 0, 0, rows.Publish}, {math.MaxInt64, math.MaxInt64, 1<<20 - 2, 1<<16 - 1, 1<<28 - 1, rows.Drop},
	}},
}

func TestContract(t *testing.T) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			recs := make([]Rec, len(c.rows))
			for i, g := range c.rows {
				recs[i] = Rec{Key: g.key, Raw: g.raw, Ver: ver(t, g.dump, g.file, g.row), Loc: uint64(i)}
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
	var recs []Rec
	for key := range int64(50) {
		for place := range uint64(3) {
			recs = append(recs, Rec{Key: key, Raw: 10, Ver: 1 << 44, Loc: place<<40 | uint64(key)})
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		r.Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
		for loc, got := range judged(t, slices.Clone(recs), through(nil)) {
			if want := loc>>40 == 2; (got == rows.Publish) != want {
				t.Errorf("place %d of row %d: verdict %d", loc>>40, loc&(1<<40-1), got)
			}
		}
	}
}

// naive judges by comparing every row with every other one.
func naive(recs []Rec, canon func(int64) int64) map[uint64]rows.Verdict {
	out := map[uint64]rows.Verdict{}
	for _, a := range recs {
		out[a.Loc] = rows.Publish
		for _, b := range recs {
			if a.Key == b.Key && a.Raw == b.Raw && a.Ver < b.Ver {
				out[a.Loc] = rows.Drop
			}
		}
	}
	for _, a := range recs {
		for _, b := range recs {
			if out[a.Loc] != rows.Publish || out[b.Loc] == rows.Drop || a.Key != b.Key || canon(a.Raw) != canon(b.Raw) {
				continue
			}
			if cmp.Or(cmp.Compare(rows.DumpRank(a.Ver), rows.DumpRank(b.Ver)), cmp.Compare(a.Raw, b.Raw)) < 0 {
				out[a.Loc] = rows.Shadow
			}
		}
	}
	return out
}

// decode makes rows of a few keys, users and dumps out of any bytes, six a row.
// No two have one version.
func decode(data []byte) (recs []Rec, canon func(int64) int64) {
	m := map[int64]int64{}
	for i := 0; i+6 <= len(data) && len(recs) < 200; i += 6 {
		raw := int64(int8(data[i+1] % 8))
		recs = append(recs, Rec{
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

// decided cuts rows into segments, hands them to a decider and returns what it
// says, and its scratch folder.
func decided(t *testing.T, recs []Rec, limit, per int, canon func(int64) int64) (map[uint64]rows.Verdict, string) {
	t.Helper()
	dir := t.TempDir()
	verdicts := rows.NewVerdicts(len(recs)) // Set is called by several goroutines
	d := NewDecider(dir, limit, canon, func(loc uint64, v rows.Verdict) { verdicts.Set(int(loc), v) })
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		checkEmpty(t, dir)
	})
	for from := 0; from < len(recs); from += per {
		part := recs[from:min(from+per, len(recs))]
		rs := make([]rows.Row, len(part))
		for i, r := range part {
			rs[i] = rows.Row{Key: r.Key, Raw: r.Raw, Ver: r.Ver}
		}
		if err := d.AddSegment(rs, func(i int) uint64 { return part[i].Loc }); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Decide(3); err != nil {
		t.Fatal(err)
	}
	out := map[uint64]rows.Verdict{}
	for _, r := range recs {
		out[r.Loc] = verdicts.Get(int(r.Loc))
	}
	return out, dir
}

// A decider says what Decide says, whether its rows fit in memory or wait in
// files, however they are cut into segments.
func TestDecider(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	var recs []Rec
	for i := range 5000 {
		recs = append(recs, Rec{Key: r.Int64() >> (10 + r.IntN(52)), Raw: int64(r.IntN(40)) - 20, Ver: uint64(r.IntN(5))<<44 | uint64(i), Loc: uint64(i)})
	}
	canon := func(u int64) int64 { return u / 3 }
	want := judged(t, slices.Clone(recs), canon)
	count := map[rows.Verdict]int{}
	for _, v := range want {
		count[v]++
	}
	if len(count) != 3 {
		t.Fatalf("the rows are too tame: %v", count)
	}
	for _, limit := range []int{0, 1, 100, 4999, 5000, 1 << 20} {
		for _, per := range []int{7, 1024, 5000} {
			t.Run(fmt.Sprintf("%d of %d", limit, per), func(t *testing.T) {
				got, dir := decided(t, recs, limit, per, canon)
				for loc, v := range got {
					if v != want[loc] {
						t.Fatalf("row %d: verdict %d, want %d", loc, v, want[loc])
					}
				}
				if spilled := len(list(t, dir)) > 0; spilled != (limit < len(recs)) {
					t.Errorf("of %d rows with a limit of %d some are in files: %v", len(recs), limit, spilled)
				}
			})
		}
	}
}

// A scratch folder that is not there is an error that names it, and nothing
// panics afterwards.
func TestDeciderNoScratch(t *testing.T) {
	d := NewDecider(t.TempDir()+"/gone", 1, func(u int64) int64 { return u }, func(uint64, rows.Verdict) {})
	err := d.AddSegment(make([]rows.Row, 5), func(i int) uint64 { return uint64(i) })
	if err == nil || !strings.Contains(err.Error(), "scratch folder") || !strings.Contains(err.Error(), "gone") {
		t.Errorf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
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
		var n [buckets]int
		const each = 1000
		for i := range each * buckets {
			n[bucketOf(key(i))]++
		}
		if most := slices.Max(n[:]); most > 4*each {
			t.Errorf("%s: one bucket has %d of %d keys", name, most, each*buckets)
		}
	}
}
