package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
)

// TestRedeliveryProperty is the master property where dumps are delivered again, as a
// whole and unchanged: with other mappings in the same dump, before and after late
// dumps and late resyncs, and with changes of the configuration in between.
func TestRedeliveryProperty(t *testing.T) {
	found, mu := map[string]int{}, sync.Mutex{}
	worlds := (*flagWorlds + 3) / 4
	t.Run("worlds", func(t *testing.T) {
		for i := range worlds {
			seed := *flagSeed + int64(i)
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				t.Parallel()
				redeliveries := redeliveryWorld(t, seed)
				mu.Lock()
				defer mu.Unlock()
				for name, n := range redeliveries {
					found[name] += n
				}
			})
		}
	})
	t.Logf("applies of a redelivery: %v", found)
	n := 0
	for name, k := range found {
		if name != feed.TableUsers {
			n += k
		}
	}
	if (n < 5*worlds || found[feed.TableUsers] < worlds) && !t.Failed() {
		t.Errorf("too few applies found a redelivery: %v", found)
	}
}

func redeliveryWorld(t *testing.T, seed int64) map[string]int {
	r := rand.New(rand.NewSource(seed))
	w := model.Random(r, model.GenOptions{Tame: seed%3 == 0})
	for i, d := range w.Dumps { // room for redeliveries, and for what comes late between them
		d.ID = 1000 * int64(i+1)
	}
	h := newHarness(t, model.RandomConfig(r))
	rest, again := slices.Clone(w.Dumps), 0
	for len(rest) > 0 || again > 0 {
		h.tuning = tiny(r)
		h.exact = r.Intn(6) == 0
		switch {
		case len(h.arrived) > 0 && (len(rest) == 0 || r.Intn(2) == 0):
			h.arrive(redeliveryOf(r, h.arrived))
			again = max(again-1, 0)
		default:
			i := 0
			if r.Intn(3) == 0 {
				i = r.Intn(len(rest))
			}
			h.arrive(rest[i])
			rest = slices.Delete(rest, i, i+1)
			again = 2
		}
		if r.Intn(6) == 0 {
			continue // two dumps at once
		}
		h.must()
		if r.Intn(8) == 0 {
			h.exact = false
			h.hcl = model.RandomConfig(r)
			h.must()
		}
	}
	return h.redeliveries
}

// redeliveryOf returns a dump that delivers of most tables what their newest dump did.
func redeliveryOf(r *rand.Rand, arrived []*model.Dump) *model.Dump {
	newest := slices.MaxFunc(arrived, func(a, b *model.Dump) int { return cmp.Compare(a.ID, b.ID) })
	d := &model.Dump{ID: newest.ID + 1 + int64(r.Intn(20))}
	for _, name := range (&model.World{Dumps: arrived}).Tables() {
		from, entries := lastEntries(arrived, name)
		if name == feed.TableMapping && r.Intn(2) == 0 { // an older one
			_, entries = lastEntries([]*model.Dump{arrived[r.Intn(len(arrived))]}, name)
		}
		if len(entries) == 0 || r.Intn(6) == 0 {
			continue
		}
		d.Entries = append(d.Entries, model.Redelivery(entries, func(f *model.File) *model.File {
			c := *f
			c.Key, c.Same = fmt.Sprintf("sync_%d/%s", d.ID, f.Key), cmp.Or(f.Same, f.Key)
			if from != newest && r.Intn(4) == 0 {
				c.Rows = c.Rows[:len(c.Rows)/2] // not the same at all
			}
			return &c
		})...)
	}
	return d
}

// lastEntries returns what the newest dump that lists a table says of it.
func lastEntries(dumps []*model.Dump, table string) (from *model.Dump, out []model.Entry) {
	for _, d := range dumps {
		if from != nil && from.ID > d.ID || !slices.ContainsFunc(d.Entries, func(e model.Entry) bool { return e.Table == table }) {
			continue
		}
		from, out = d, nil
		for _, e := range d.Entries {
			if e.Table == table {
				out = append(out, e)
			}
		}
	}
	return from, out
}

// again returns entries once more, in files of another dump.
func again(dump int64, entries ...model.Entry) *model.Dump {
	return &model.Dump{ID: dump, Entries: model.Redelivery(entries, func(f *model.File) *model.File {
		c := *f
		c.Key, c.Same = fmt.Sprintf("sync_%d/%s", dump, f.Key), cmp.Or(f.Same, f.Key)
		return &c
	})}
}

// TestNoRedelivery delivers again what is not quite what was delivered, or at a moment
// when that means something else.
func TestNoRedelivery(t *testing.T) {
	const fails = "\ntable \"pageviews\" { on_cast_error = \"fail\" }\n"
	for name, c := range map[string]struct {
		change     func(d *model.Dump)
		hcl        string
		first      bool // the dump is delivered before what it repeats
		two        bool // another dump comes with it
		Redelivery bool
	}{
		"the same":     {Redelivery: true},
		"a value":      {change: func(d *model.Dump) { d.Entries[0].Files[0].Rows = killRows("/c", "/b") }},
		"a row less":   {change: func(d *model.Dump) { d.Entries[0].Files[0].Rows = killRows("/b") }},
		"file order":   {change: func(d *model.Dump) { slices.Reverse(d.Entries[0].Files) }},
		"a file twice": {change: func(d *model.Dump) { d.Entries[0].Files = append(d.Entries[0].Files, d.Entries[0].Files[0]) }},
		"column order": {change: func(d *model.Dump) { slices.Reverse(d.Entries[0].Columns) }},
		"no columns":   {change: func(d *model.Dump) { d.Entries[0].Columns = nil }},
		"a resync":     {change: func(d *model.Dump) { d.Entries[0].Incremental = model.Bool(false) }},
		"other bytes":  {change: func(d *model.Dump) { d.Entries[0].Files[1].Same = "" }},
		"late":         {first: true},
		"not alone":    {two: true},
		"cast errors":  {hcl: fails},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, killConfig+c.hcl)
			dumps := killDumps()[:2]
			dumps[1].Entries = []model.Entry{killEvents(2, "pageviews", "event_id", true, killRows("/b", "/c"), killRows("/d", "/e"))}
			next := again(3, dumps[1].Entries...)
			if c.first {
				next.ID = 0
			}
			if c.change != nil {
				c.change(next)
			}
			h.arrive(dumps...)
			h.must()
			h.arrive(next)
			if c.two {
				h.arrive(again(4, dumps[0].Entries...))
			}
			h.must()
			if got := h.redeliveries["pageviews"] == 1; got != c.Redelivery {
				t.Errorf("taken for a redelivery: %v", got)
			}
		})
	}
}

// killRows are rows with these paths, each of its own user, which all are of one size.
func killRows(paths ...string) [][]any {
	var out [][]any
	for i, p := range paths {
		out = append(out, killEvent(int64(60+10*int(p[1]-'a')+i), int64(i+1), 2+i, p))
	}
	return out
}

// TestRedeliveryFollowsConfiguration changes the configuration between a dump and its
// redelivery: what is known of the dump outlives rewrites and is renewed by a rebuild.
func TestRedeliveryFollowsConfiguration(t *testing.T) {
	masked := killConfig + "mask \"pii\" {\n  tables = [\"*\"]\n  columns = [\"email\"]\n  method = \"null\"\n}\n"
	byDate := strings.Replace(killConfig, "[year(time), month(time), day(time)]", "[date(time)]", 1)
	metadata := strings.Replace(killConfig, "partition_by", "on_schema_change = \"freeze\"\n columns = [\"visit_id\", \"time\", \"path\", \"email\"]\n partition_by", 1)
	for name, c := range map[string][2]string{
		"rewrite": {killConfig, masked}, "repartition": {killConfig, byDate}, "rebuild": {masked, killConfig}, "metadata": {killConfig, metadata},
	} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, together %v", name, together), func(t *testing.T) {
				h := newHarness(t, c[0])
				h.tuning.GroupRows = 2
				dumps := killDumps()[:2]
				h.arrive(dumps...)
				h.must()
				h.hcl = c[1]
				if !together {
					h.must()
				}
				h.arrive(again(3, dumps[1].Entries...))
				h.must()
				for _, table := range []string{"pageviews", "sessions", "users"} {
					if h.redeliveries[table] != 1 {
						t.Errorf("table %s: no redelivery was found", table)
					}
				}
			})
		}
	}
}

// TestStateWithoutContent checks that a state that does not know what its dumps
// delivered takes the ordinary path, and knows it from then on.
func TestStateWithoutContent(t *testing.T) {
	h := newHarness(t, killConfig)
	dumps := killDumps()[:2]
	h.arrive(dumps...)
	h.must()
	h.editState(func(tx *state.Tx, snap *state.Snapshot) error {
		var errs []error
		for name, tb := range snap.Tables {
			tb.Content = nil
			errs = append(errs, tx.PutTable(tb))
			for _, p := range snap.Partitions[name] {
				p.Newest = nil
				errs = append(errs, tx.PutPartition(name, p))
			}
		}
		return errors.Join(errs...)
	})
	for i, want := range []int{0, 1, 2} {
		h.arrive(again(int64(3+i), dumps[1].Entries...))
		h.must()
		if h.redeliveries["pageviews"] != want || h.redeliveries["users"] != want {
			t.Errorf("after %d re-deliveries: redeliveries %v", i+1, h.redeliveries)
		}
	}
}

// TestRedeliveryCounts holds what is told of a redelivery against what the ordinary path
// tells of the same rows in other bytes.
func TestRedeliveryCounts(t *testing.T) {
	apply := func(d *model.Dump) (map[string]plan.Counts, map[string]map[string]int64) {
		h := newHarness(t, killConfig)
		h.tuning.GroupRows = 2
		dumps := killDumps()[:2]
		dumps[1].Entries[0].Columns = dumps[1].Entries[0].Columns[:5] // carried and not listed
		dumps[1].Entries[0].Files[0].Rows[0][4] = "\xff"              // rescued
		d.Entries[0].Columns, d.Entries[0].Files[0].Rows = dumps[1].Entries[0].Columns, dumps[1].Entries[0].Files[0].Rows
		h.arrive(dumps...)
		h.must()
		h.arrive(d)
		res, err := h.apply()
		if err != nil {
			t.Fatal(err)
		}
		h.check()
		counts, unlisted := map[string]plan.Counts{}, map[string]map[string]int64{}
		for _, r := range res.Tables {
			r.Counts.Written = 0 // encoded in other pieces
			counts[r.Name], unlisted[r.Name] = r.Counts, r.Unlisted
		}
		return counts, unlisted
	}
	plain := killRedelivery()
	for _, e := range plain.Entries {
		for _, f := range e.Files {
			f.Same = ""
		}
	}
	counts, unlisted := apply(killRedelivery())
	wantCounts, wantUnlisted := apply(plain)
	if d := gocmp.Diff(wantCounts, counts); d != "" {
		t.Errorf("counts (- ordinary, + redelivery):\n%s", d)
	}
	if d := gocmp.Diff(wantUnlisted, unlisted); d != "" {
		t.Errorf("fields that are not listed (- ordinary, + redelivery):\n%s", d)
	}
	if c := counts["pageviews"]; c.Rescued == 0 || c.Quarantined == 0 || c.Replaced == 0 || len(unlisted["pageviews"]) == 0 {
		t.Errorf("the test shows nothing: %+v, %v", c, unlisted)
	}
}

// TestRedeliveryFolds parts users in the apply of a redelivery, so that more rows come back
// than a large partition takes without being written as a whole: each row is
// counted once.
func TestRedeliveryFolds(t *testing.T) {
	h := newHarness(t, killConfig)
	h.tuning.AppendAt = 1
	e := killEvent
	first := &model.Dump{ID: 1, Entries: []model.Entry{
		killEvents(1, "pageviews", "event_id", true, [][]any{e(7, int64(1), 1, "/a"), e(7, int64(2), 1, "/b"), e(7, int64(3), 1, "/c")}),
		killMapping(1, [2]int64{2, 1}, [2]int64{3, 1}),
	}}
	h.arrive(first)
	h.must()
	h.arrive(again(2, first.Entries[0], killMapping(2, [2]int64{9, 8})))
	res, err := h.apply()
	if err != nil {
		t.Fatal(err)
	}
	h.check()
	for _, r := range res.Tables {
		if r.Name == "pageviews" && (r.RedeliveryOf == nil || r.Counts.Replaced != 3 || r.Counts.Revived != 2 || r.Counts.Rows != 3) {
			t.Errorf("a redelivery of 3 rows, of which 2 come back: %+v", r.Counts)
		}
	}
}
