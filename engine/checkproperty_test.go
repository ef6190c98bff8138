package engine

import (
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/model/reader"
	"reconcile/internal/failpoint"
)

var checkWorlds = flag.Int("check-worlds", 12, "random worlds of TestCheckProperty")

// TestCheckProperty: dumps of few keys, users and values come in any order and grouping, with
// resyncs, mappings, changes of the configuration and kills. After each apply the checks
// found what a naive judge finds in the model's rows, and the table is what the model makes
// of the dumps that passed.
func TestCheckProperty(t *testing.T) {
	held, taken, accepted := 0, 0, 0
	kinds := map[string]int{}
	for seed := range int64(*checkWorlds) {
		w := newCheckedWorld(t, seed)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w.t = t
			w.live(t)
		})
		held, taken, accepted = held+w.held, taken+w.taken, accepted+w.accepts
		for k, n := range w.failedKinds {
			kinds[k] += n
		}
	}
	t.Logf("%d steps held, %d taken, %d accepted; failed %v", held, taken, accepted, kinds)
	if held < *checkWorlds || taken < *checkWorlds || accepted < *checkWorlds/5 || len(kinds) < 5 {
		t.Error("the worlds do not try checks")
	}
}

// checkedWorld is a table e with checks, and what is known of it.
type checkedWorld struct {
	*bed
	r       *rand.Rand
	checks  []checkOfModel
	variant int // of the configuration

	applied  map[int64]bool            // dumps that e has
	mapping  *model.Dump               // at which e stands
	accepted map[string]map[int64]bool // dumps by check
	lastHold map[string]int64          // the newest dump of the last held step, by check
	lastStep map[int64]bool            // dumps of that

	held, taken, accepts int
	failedKinds          map[string]int
}

// checkOfModel is a check as the naive judge has it.
type checkOfModel struct {
	name, text string
	warns      bool
	// judge returns how many fail, of how many; with none judged the check says nothing.
	judge func(w *checkedWorld, rows []map[string]*string, all []map[string]*string, dumps map[int64]bool) (failed, judged int)
	allow func(failed, judged int) bool
}

func newCheckedWorld(t *testing.T, seed int64) *checkedWorld {
	w := &checkedWorld{r: rand.New(rand.NewSource(seed)), applied: map[int64]bool{}, accepted: map[string]map[int64]bool{}, failedKinds: map[string]int{}}
	w.bed = newBed(t, "")
	w.tuning = Tuning{Memory: 1 << 14, GroupRows: 3, SpillGroup: 3, CutAt: 1 << 10, AppendAt: 1 << 9, NoDelta: seed%4 == 3}
	none := func(failed, _ int) bool { return failed == 0 }
	all := []checkOfModel{
		{name: "price", text: `not_null = ["price", "session_id"]`, judge: judgeRows(func(r map[string]*string) bool { return r["price"] == nil || r["session_id"] == nil }), allow: none},
		{name: "value", text: "accepted_values {\n column = \"price\"\n values = [\"1\", \"2\", \"3\"]\n }",
			judge: judgeRows(func(r map[string]*string) bool {
				return r["price"] != nil && !slices.Contains([]string{"1", "2", "3"}, *r["price"])
			}), allow: none},
		{name: "once", text: `unique = ["session_id", "user_id"]`, judge: judgeUnique, allow: none},
		{name: "volume", text: "rows {\n min = \"40%\"\n max = \"250%\"\n }", judge: judgeVolume, allow: none},
		{name: "known", text: `users { max = "40%" }`, judge: judgeUsers, allow: func(failed, judged int) bool { return failed*10 <= judged*4 }},
	}
	w.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	w.checks = all[:1+w.r.Intn(len(all))]
	for i := range w.checks {
		w.checks[i].warns = w.r.Intn(4) == 0
	}
	w.configure()
	return w
}

// configure writes the configuration: with another variant the table is rewritten or rebuilt.
func (w *checkedWorld) configure() {
	table := "sinks = [sink.parquet.lake]\n"
	switch w.variant {
	case 1:
		table += "partition_by = [year(time), month(time)]\n"
	case 2:
		table += "column \"price\" { type = \"int64\" }\n"
	}
	w.hcl = "table \"e\" {\n" + table + "}\ntable \"users\" { sinks = [sink.parquet.lake] }\ntable \"user_migrations\" { sinks = [sink.parquet.lake] }\n"
	for _, c := range w.checks {
		severity := ""
		if c.warns {
			severity = "severity = \"warn\"\n  "
		}
		w.hcl += oneCheck(c.name, severity+c.text)
	}
}

func judgeRows(fails func(map[string]*string) bool) func(*checkedWorld, []map[string]*string, []map[string]*string, map[int64]bool) (int, int) {
	return func(_ *checkedWorld, rows, _ []map[string]*string, _ map[int64]bool) (failed, judged int) {
		for _, r := range rows {
			if fails(r) {
				failed++
			}
		}
		return failed, len(rows)
	}
}

func judgeUnique(_ *checkedWorld, rows, all []map[string]*string, _ map[int64]bool) (failed, judged int) {
	for _, r := range rows {
		n := 0
		for _, o := range all {
			if r["session_id"] != nil && o["session_id"] != nil && *r["session_id"] == *o["session_id"] && *r["user_id"] == *o["user_id"] {
				n++
			}
		}
		if n > 1 {
			failed++
		}
	}
	return failed, len(rows)
}

func judgeUsers(w *checkedWorld, rows, _ []map[string]*string, _ map[int64]bool) (failed, judged int) {
	users, err := model.Expect(w.bringing("users"), w.newestMapping(), w.settings("users"), "users")
	if err != nil {
		w.t.Fatal(err)
	}
	if len(w.bringing("users")) == 0 {
		return 0, -1
	}
	for _, r := range rows {
		if _, ok := users.Rows[*r["user_id"]]; !ok {
			failed++
		}
	}
	return failed, len(rows)
}

func judgeVolume(w *checkedWorld, _, _ []map[string]*string, dumps map[int64]bool) (failed, judged int) {
	var before []int
	floor := int64(0)
	for _, d := range w.bringing("e") {
		if !*d.Entries[0].Incremental {
			floor = d.ID
		}
	}
	for _, d := range w.bringing("e") {
		n := 0
		for _, f := range d.Entries[0].Files {
			n += len(f.Rows)
		}
		if d.ID < floor || !*d.Entries[0].Incremental {
			continue
		}
		last := slices.Sorted(slices.Values(before[max(0, len(before)-14):]))
		if len(last) >= 3 && dumps[d.ID] {
			judged++
			median := float64(last[(len(last)-1)/2]+last[len(last)/2]) / 2
			if median > 0 && (float64(n) < 0.4*median || float64(n) > 2.5*median) {
				failed++
			}
		}
		before = append(before, n)
	}
	if judged == 0 {
		return 0, -1
	}
	return failed, judged
}

// bringing lists the dumps that bring a table, by id.
func (w *checkedWorld) bringing(table string) []*model.Dump {
	var out []*model.Dump
	for _, d := range w.arrived {
		if slices.ContainsFunc(d.Entries, func(e model.Entry) bool { return e.Table == table }) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *model.Dump) int { return int(a.ID - b.ID) })
	return out
}

func (w *checkedWorld) newestMapping() *model.Dump {
	return model.MappingFor(w.arrived, model.Guard{}).Dump
}

func (w *checkedWorld) settings(table string) model.Settings {
	cfg := w.config()
	t, diags := cfg.Table(table, w.delivered(table))
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	return model.FromDefinition(t, cfg.MaskKey)
}

// dump makes a random dump.
func (w *checkedWorld) dump(id int64) *model.Dump {
	r := w.r
	some := func(odds int, list ...any) any {
		if r.Intn(odds) == 0 {
			return nil
		}
		return list[r.Intn(len(list))]
	}
	var rows [][]any
	for range 1 + r.Intn(6)*r.Intn(3) {
		rows = append(rows, row(1+r.Intn(30), 1+r.Intn(8), some(12, "1", "2", "3", "1", "2", "3", "1", "2", "3", "4"), some(20, 1+r.Intn(400)), fmt.Sprintf("2026-0%d-05T00:00:00Z", 1+r.Intn(3))))
	}
	entry := more
	if r.Intn(9) == 0 {
		entry = full
	}
	entries := []model.Entry{entry("e", avroPart("event_id user_id price session_id time", rows...))}
	if r.Intn(2) == 0 {
		entries = append(entries, more("users", avroPart("user_id joindate", row(1+r.Intn(8), "5"), row(1+r.Intn(8), "6"), row(1+r.Intn(8), "7"))))
	}
	if r.Intn(3) == 0 {
		entries = append(entries, more("user_migrations", avroPart("from_user_id to_user_id", row(1+r.Intn(4), 5+r.Intn(4)), row(1+r.Intn(4), 5+r.Intn(4)))))
	}
	return dumpOf(id, entries...)
}

func (w *checkedWorld) live(t *testing.T) {
	var coming []*model.Dump
	for id := range int64(14) {
		coming = append(coming, w.dump(id+1))
	}
	for i := range coming { // some are late
		if j := i + 1 + w.r.Intn(3); w.r.Intn(3) == 0 && j < len(coming) {
			coming[i], coming[j] = coming[j], coming[i]
		}
	}
	for len(coming) > 0 {
		n := w.r.Intn(min(3, len(coming)) + 1)
		w.night(coming[:n])
		coming = coming[n:]
		if t.Failed() {
			return
		}
	}
}

// night is one apply, perhaps after one that is interrupted, and what it should do.
func (w *checkedWorld) night(dumps []*model.Dump) {
	w.arrive(dumps...)
	if w.r.Intn(5) == 0 {
		w.variant = w.r.Intn(3)
		w.configure()
	}
	pending := map[int64]bool{}
	for _, d := range w.bringing("e") {
		if !w.applied[d.ID] {
			pending[d.ID] = true
		}
	}
	w.opts.Accept = nil
	for name, dump := range w.lastHold {
		if w.r.Intn(2) != 0 {
			continue
		}
		w.accepts++
		w.opts.Accept = append(w.opts.Accept, fmt.Sprintf("check.%s@%d", name, dump))
		if w.accepted[name] == nil {
			w.accepted[name] = map[int64]bool{}
		}
		maps.Copy(w.accepted[name], w.lastStep)
	}
	want, holds := w.judge(pending)
	// What an interrupted apply met has the same name where a late dump came.
	interrupted := w.r.Intn(4) == 0 && (len(w.opts.Accept) == 0 || len(dumps) == 0)
	if interrupted {
		points := failpoint.All()
		_, _, _ = w.applyFailing(fmt.Sprintf("%s=error@%d", points[w.r.Intn(len(points))], 1+w.r.Intn(3)))
	}
	res := w.run()
	var got []string
	for _, h := range res.Holds {
		got = append(got, strings.TrimPrefix(h.Guard, "check."))
	}
	slices.Sort(got)
	slices.Sort(holds)
	if !slices.Equal(got, holds) {
		w.t.Fatalf("held by %q, want %q (pending %v, applied %v)\nholds %+v\nthe dumps:\n%s", got, holds, pending, w.applied, res.Holds, &model.World{Dumps: w.arrived})
	}
	if found := w.counts(res); !interrupted && len(found) > 0 && !slices.Equal(found, want) || !interrupted && len(holds) == 0 && len(found) != len(want) {
		w.t.Fatalf("found %q, want %q\nthe dumps:\n%s", found, want, &model.World{Dumps: w.arrived})
	}
	w.lastHold, w.lastStep = map[string]int64{}, nil
	if len(holds) == 0 {
		if len(pending) > 0 {
			w.taken++
		}
		maps.Copy(w.applied, pending)
		w.mapping = w.newestMapping()
	} else {
		w.held++
		for _, name := range holds {
			w.lastHold[name] = slices.Max(slices.Collect(maps.Keys(pending)))
		}
		w.lastStep = pending
	}
	w.compare()
	w.opts.Accept = nil
	w.checkIdle()
}

// counts lists what the checks of an apply found.
func (w *checkedWorld) counts(res *Result) []string {
	var out []string
	for _, f := range res.Checks {
		out = append(out, fmt.Sprintf("%s %d/%d", f.Check, f.Failed, f.Judged))
		if n := min(int(f.Failed), 10); f.Kind != "rows" && len(f.Rows) != n || f.Kind == "rows" && len(f.Dumps) != int(f.Failed) {
			w.t.Errorf("%s shows %d rows and %d dumps", out[len(out)-1], len(f.Rows), len(f.Dumps))
		}
	}
	return out
}

// judge says what the checks find of the pending dumps, and which of them hold the table.
func (w *checkedWorld) judge(pending map[int64]bool) (found, holds []string) {
	if len(pending) == 0 {
		return nil, nil
	}
	table, err := model.Expect(w.bringing("e"), w.newestMapping(), w.settings("e"), "e")
	if err != nil {
		w.t.Fatal(err)
	}
	var all []map[string]*string
	for _, r := range table.Rows {
		all = append(all, r.Values)
	}
	for _, c := range w.checks {
		dumps := maps.Clone(pending)
		maps.DeleteFunc(dumps, func(id int64, _ bool) bool { return w.accepted[c.name][id] })
		rows := slices.DeleteFunc(slices.Clone(all), func(r map[string]*string) bool {
			for id := range dumps {
				if *r["_dump_id"] == fmt.Sprint(id) {
					return false
				}
			}
			return true
		})
		failed, judged := c.judge(w, rows, all, dumps)
		if judged < 0 || c.allow(failed, judged) {
			continue
		}
		w.failedKinds[c.name]++
		found = append(found, fmt.Sprintf("%s %d/%d", c.name, failed, judged))
		if !c.warns {
			holds = append(holds, c.name)
		}
	}
	return found, holds
}

// compare compares the table with the model of the dumps that it should have.
func (w *checkedWorld) compare() {
	has := slices.DeleteFunc(w.bringing("e"), func(d *model.Dump) bool { return !w.applied[d.ID] })
	want := &model.Table{}
	if len(has) > 0 {
		var err error
		if want, err = model.Expect(has, w.mapping, w.settings("e"), "e"); err != nil {
			w.t.Fatal(err)
		}
	}
	got, err := reader.Read(filepath.Join(w.lake(), "e"), "e", want)
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := want.Diff(got.Rows); len(diff) > 0 {
		w.t.Fatalf("the table is not what it should be with the dumps %v at %v:\n%s\nthe dumps:\n%s", w.applied, w.mapping, strings.Join(diff, "\n"), &model.World{Dumps: w.arrived})
	}
	if left := w.staged(); len(left) > 0 {
		w.t.Fatalf("staged files are left: %q", left)
	}
}
