package engine

import (
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"reconcile/engine/model"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

var flagGuardWorlds = flag.Int("guard-worlds", 10, "random worlds of guards: mappings and tables that shrink, empty out and come back")

// TestGuardProperty applies exports whose mapping of a hundred users or more shrinks
// and comes back, in random order and grouping, some of them skipped for a while. After every apply the content and
// what is held are those of the model, which judges all that has arrived.
func TestGuardProperty(t *testing.T) {
	var tripped, accepted atomic.Int64
	t.Cleanup(func() { wantTripped(t, tripped.Load(), accepted.Load()) })
	for i := range *flagGuardWorlds {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := guardWorld(t, seed)
			tripped.Add(int64(h.tripped))
			accepted.Add(int64(h.accepted))
		})
	}
}

// TestTableGuardProperty applies exports whose tables are resynced to less, or to nothing,
// under guards: in random order and grouping, with applies that fail, dumps that are skipped
// or taken back for a while, acceptances and rebuilds. After every apply what is held is what
// the model says, which judges all that has arrived, and each table is right for the dumps
// that it has: all of them where nothing is held.
func TestTableGuardProperty(t *testing.T) {
	var tripped, accepted atomic.Int64
	t.Cleanup(func() { wantTripped(t, tripped.Load(), accepted.Load()) })
	for i := range *flagGuardWorlds {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := tableGuardWorld(t, seed)
			tripped.Add(int64(h.tripped))
			accepted.Add(int64(h.accepted))
		})
	}
}

// wantTripped fails if guards had nothing to do in as many worlds as there are. One world
// alone may be quiet.
func wantTripped(t *testing.T, tripped, accepted int64) {
	t.Helper()
	t.Logf("guards held something after %d applies, %d were accepted", tripped, accepted)
	if n := int64(*flagGuardWorlds); n > 5 && (2*tripped < n || accepted == 0) {
		t.Errorf("guards held something after %d applies, %d were accepted", tripped, accepted)
	}
}

func guardWorld(t *testing.T, seed int64) *harness {
	r := rand.New(rand.NewSource(seed))
	w := model.Random(r, model.GenOptions{Dumps: 7, Events: 1, Rows: 6, Users: 110 + r.Intn(60), Shrinks: 0.5, Tame: seed%2 == 0})
	h := newHarness(t, model.RandomConfig(r))
	if seed%3 == 0 {
		r.Shuffle(len(w.Dumps), func(i, j int) { w.Dumps[i], w.Dumps[j] = w.Dumps[j], w.Dumps[i] })
	}
	for dumps := slices.Clone(w.Dumps); len(dumps) > 0; {
		n := 1 + r.Intn(min(3, len(dumps)))
		h.tuning = tiny(r)
		h.arrive(dumps[:n]...)
		dumps = dumps[n:]
		if h.prelude = prelude; r.Intn(3) == 0 {
			h.prelude = skipping(int(h.arrived[r.Intn(len(h.arrived))].ID))
		}
		h.must()
		if r.Intn(3) == 0 {
			h.accept()
			h.must()
		}
	}
	h.accept()
	h.must()
	return h
}

// tableGuards are what the tables of a harness are judged by, nil without guards.
type tableGuards struct {
	passed map[string]map[int64]bool // resyncs that counted once or were accepted, by table
	// faults says that files are bad: a table whose rebuild waits for one stays at the mapping
	// where it stands.
	faults bool
}

// withGuard declares a random guard for the tables of a configuration.
func withGuard(r *rand.Rand, hcl string) string {
	guard := "  guard {\n    empty_resync = \"hold\"\n  }\n"
	if r.Intn(4) > 0 {
		empty := []string{"hold", "take"}[r.Intn(2)]
		guard = fmt.Sprintf("  guard {\n    empty_resync = %q\n    max_removed_rows = \"%d%%\"\n  }\n", empty, []int{0, 20, 50, 50, 80}[r.Intn(5)])
	}
	for _, table := range []string{"*", "users"} {
		hcl = strings.Replace(hcl, fmt.Sprintf("table %q {\n", table), fmt.Sprintf("table %q {\n", table)+guard, 1)
	}
	return hcl
}

func tableGuardWorld(t *testing.T, seed int64) *harness {
	r := rand.New(rand.NewSource(seed))
	opt := model.GenOptions{Dumps: 9, Events: 1, Rows: 8, Resyncs: 0.45, KeepMappings: true, Tame: seed%2 == 0}
	switch seed % 4 {
	case 1:
		opt.Faults = 0.06
	case 3:
		opt.Redeliveries = 0.2
	}
	w := model.Random(r, opt)
	h := newHarness(t, withGuard(r, model.RandomConfig(r)))
	h.guards = &tableGuards{passed: map[string]map[int64]bool{}, faults: opt.Faults > 0}
	if seed%3 == 0 {
		r.Shuffle(len(w.Dumps), func(i, j int) { w.Dumps[i], w.Dumps[j] = w.Dumps[j], w.Dumps[i] })
	}
	if opt.Faults == 0 {
		h.after = h.checkSets
	}
	for dumps := slices.Clone(w.Dumps); len(dumps) > 0; {
		n := 1 + r.Intn(min(3, len(dumps)))
		h.tuning = tiny(r)
		h.arrive(dumps[:n]...)
		dumps = dumps[n:]
		if h.prelude = prelude; r.Intn(2) == 0 {
			h.prelude = h.skippingTables(r)
		}
		if seed%5 == 4 {
			h.goBack(r, w)
		}
		if r.Intn(2) == 0 {
			h.acceptTables(r)
		}
		h.interrupt(r)
		h.must()
	}
	h.prelude, h.until = prelude, nil
	h.must()
	for range 2 { // what passed never trips again
		h.hcl = withGuard(r, model.RandomConfig(r))
		h.tuning = tiny(r)
		h.must()
	}
	for len(h.trippedTables()) > 0 {
		h.acceptTables(nil)
		h.must()
	}
	h.opts.Accept = nil
	h.must()
	return h
}

// skippingTables is a prelude with a skip_dump of a dump for a table, as a rule of the resync
// that its rows count from.
func (h *harness) skippingTables(r *rand.Rand) string {
	d := h.arrived[r.Intn(len(h.arrived))]
	table := d.Entries[r.Intn(len(d.Entries))].Table
	if has := h.appliedDumps(); len(has) > 0 && r.Intn(3) > 0 {
		names := sortedKeys(has)
		name := names[r.Intn(len(names))]
		if resync := h.latestResync(name, has[name]); resync != nil {
			d, table = resync, name
		}
	}
	return strings.Replace(prelude, `{ path = "../dumps" }`, fmt.Sprintf("{\n  path = \"../dumps\"\n  skip_dump \"%d\" {\n    tables = [%q]\n    reason = \"x\"\n  }\n}", d.ID, table), 1)
}

// guardedTables are the definitions of the tables whose resyncs are judged.
func (h *harness) guardedTables() (out []*definition.Table) {
	h.t.Helper()
	cfg := h.config()
	for _, name := range (&model.World{Dumps: h.counting()}).Tables() {
		table, diags := cfg.Table(name, h.delivered(name))
		if diags.HasErrors() {
			h.t.Fatal(diags)
		}
		if table != nil && name != feed.TableMapping && table.Guard.JudgesResyncs() {
			out = append(out, table)
		}
	}
	return out
}

// trippedTables are the names, for -accept, of what the model says that guards of tables hold.
func (h *harness) trippedTables() []string {
	h.t.Helper()
	out := []string{}
	if h.guards == nil {
		return out
	}
	cfg := h.config()
	for _, table := range h.guardedTables() {
		g := model.TableGuard{MaxRemoved: int64(definition.Whole), HoldsEmpty: table.Guard.HoldsEmpty, Passed: h.guards.passed[table.Name]}
		if table.Guard.MaxRemovedRows != nil {
			g.MaxRemoved = int64(*table.Guard.MaxRemovedRows)
		}
		if d := model.TrippedFor(h.unskipped(cfg), table.Name, model.FromDefinition(table, cfg.MaskKey), g); d != nil {
			out = append(out, fmt.Sprintf("%s@%d", table.Name, d.ID))
		}
	}
	return out
}

// acceptTables accepts some of what guards of tables hold, all without r.
func (h *harness) acceptTables(r *rand.Rand) {
	h.t.Helper()
	h.opts.Accept = nil
	for _, name := range h.trippedTables() {
		if r == nil || r.Intn(2) == 0 {
			i := strings.LastIndexByte(name, '@')
			var dump int64
			if _, err := fmt.Sscan(name[i+1:], &dump); err != nil {
				h.t.Fatal(err)
			}
			h.opts.Accept = append(h.opts.Accept, name)
			h.pass(name[:i], dump)
			h.accepted++
		}
	}
}

// pass notes that a resync of a table is not judged again.
func (h *harness) pass(table string, dump int64) {
	if h.guards.passed[table] == nil {
		h.guards.passed[table] = map[int64]bool{}
	}
	h.guards.passed[table][dump] = true
}

// notePassed notes for each table the resync that its rows count from: it is not judged again.
func (h *harness) notePassed() {
	h.t.Helper()
	if h.guards == nil {
		return
	}
	for table, dumps := range h.appliedDumps() {
		if d := h.latestResync(table, dumps); d != nil {
			h.pass(table, d.ID)
		}
	}
}

// latestResync is the greatest of the dumps of a table that makes all below it void.
func (h *harness) latestResync(table string, dumps []int64) (out *model.Dump) {
	for _, d := range h.unskipped(h.config()) {
		full := slices.ContainsFunc(d.Entries, func(e model.Entry) bool { return e.Table == table && e.Incremental != nil && !*e.Incremental })
		if full && slices.Contains(dumps, d.ID) && (out == nil || d.ID > out.ID) {
			out = d
		}
	}
	return out
}

// appliedDumps are the dumps that each table has, by the state.
func (h *harness) appliedDumps() map[string][]int64 {
	h.t.Helper()
	s, err := h.engine().Inspect().Show(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string][]int64{}
	for _, t := range s.Tables {
		out[t.Name] = t.Dumps
	}
	return out
}

// behindMapping are the tables that stand at another mapping than the newest.
func (h *harness) behindMapping() (out []string) {
	h.t.Helper()
	s, err := h.engine().Inspect().Show(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	newest := h.mappingVerdict().Dump
	for _, t := range s.Tables {
		if (newest == nil) != (t.Mapping == nil) || newest != nil && *t.Mapping != newest.ID {
			out = append(out, t.Name)
		}
	}
	return out
}

// checkSets checks that a table that nothing holds has all dumps.
func (h *harness) checkSets() {
	h.t.Helper()
	has, held := h.appliedDumps(), h.trippedTables()
	for _, table := range h.guardedTables() {
		if slices.ContainsFunc(held, func(name string) bool { return strings.HasPrefix(name, table.Name+"@") }) {
			continue
		}
		for _, d := range h.unskipped(h.config()) {
			if slices.ContainsFunc(d.Entries, func(e model.Entry) bool { return e.Table == table.Name }) && !slices.Contains(has[table.Name], d.ID) {
				h.t.Fatalf("nothing holds table %s, and it has the dumps %d without %d", table.Name, has[table.Name], d.ID)
			}
		}
	}
}
