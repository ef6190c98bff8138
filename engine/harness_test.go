package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"reconcile/config"
	"reconcile/engine/enginetest"
	"reconcile/engine/exec"
	"reconcile/engine/inspect"
	"reconcile/engine/model"
	"reconcile/engine/model/reader"
	"reconcile/engine/plan"
	"reconcile/internal/failpoint"
	"reconcile/sinks"
)

// harness applies the dumps of a world through the real engine and sink, and
// compares what the sink holds with the model after every apply.
type harness struct {
	t       *testing.T
	dir     string
	prelude string // of the configuration: source, state and sinks
	hcl     string
	unit    string // time_unit of the source, none if empty
	until   *int64 // until_dump of the source
	arrived []*model.Dump
	// unchecked leaves out the comparison: what is applied while something is
	// held depends on the order of arrival.
	unchecked    bool
	exact        bool // compare plan -exact with what apply does
	tuning       Tuning
	opts         Options
	fails        *failpoint.Set
	executor     exec.Executor        // nil: the one in this process
	remote       *bucketPair          // where source and sink are on S3
	away         *awayState           // where the state is in an object store
	shortDay     bool                 // nothing stays there for readers
	redeliveries map[string]int       // applies that found one, by table
	passed       map[int64]bool       // dumps whose mapping was applied or accepted
	guards       *tableGuards         // of tables
	tripped      int                  // applies that a guard held something of
	accepted     int                  // mappings that a guard held
	waiting      []string             // tables that check leaves out, as they are held
	lost         map[string]int64     // tables whose dumps up to one are lost
	named        map[sinks.Place]bool // data files that the state has listed so far
	after        func()               // what must does at its end, nil for nothing
	told         *progressLog         // by the last engine
}

func newHarness(t *testing.T, hcl string) *harness {
	h := &harness{t: t, dir: t.TempDir(), prelude: prelude, hcl: hcl, redeliveries: map[string]int{}, passed: map[int64]bool{}, named: map[sinks.Place]bool{}}
	for _, d := range []string{"dumps/manifests", "conf"} {
		if err := os.MkdirAll(filepath.Join(h.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.opts.AllowDestroy = true
	return h
}

// text is the configuration.
func (h *harness) text() string {
	text := strings.Replace(h.away.configure(h.prelude), `{ path = "../dumps" }`, "{\n  path = \"../dumps\"\n}", 1) + h.hcl
	if h.unit != "" {
		text = strings.Replace(text, "  path = \"../dumps\"\n", fmt.Sprintf("  path = \"../dumps\"\n  time_unit = %q\n", h.unit), 1)
	}
	if h.until != nil {
		source := regexp.MustCompile(`(?m)^source .*\{\n`)
		text = source.ReplaceAllString(text, fmt.Sprintf("${0}  until_dump = %d\n", *h.until))
	}
	return text
}

func (h *harness) config() *config.Config {
	h.t.Helper()
	return enginetest.Load(h.t, filepath.Join(h.dir, "conf"), h.text())
}

func (h *harness) engine() *Engine {
	h.t.Helper()
	o := h.opts
	o.Program, o.Parallelism, o.Tuning = "0.1.0", 2, h.tuning
	if h.shortDay {
		o.Tuning.Lease.Day = 1
	}
	o.Tuning.Executor = h.executor
	h.told = &progressLog{t: h.t}
	o.Progress = h.told.tell
	cfg := h.config()
	h.away.machine(h.t, cfg, &o.Tuning)
	e, err := New(context.Background(), cfg, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

func (h *harness) arrive(dumps ...*model.Dump) {
	h.t.Helper()
	for _, d := range dumps {
		if err := d.Write(filepath.Join(h.dir, "dumps")); err != nil {
			h.t.Fatal(err)
		}
		h.arrived = append(h.arrived, d)
	}
}

// apply is what the command does: lock, recover, plan, apply.
func (h *harness) apply() (*Result, error) {
	ctx := context.Background()
	if h.fails != nil {
		ctx = failpoint.With(ctx, h.fails)
	}
	h.remote.upload(h.t, filepath.Join(h.dir, "dumps"))
	h.away.expire(h.t)
	res, err := enginetest.Apply(ctx, &watched{Engine: h.engine()})
	if err == nil {
		h.told.ended()
	}
	return res, err
}

// applyFailing applies with failpoints set.
func (h *harness) applyFailing(points string) (*Result, *failpoint.Set, error) {
	h.t.Helper()
	set, err := failpoint.Parse(points)
	if err != nil {
		h.t.Fatal(err)
	}
	h.fails = set
	res, err := h.apply()
	h.fails = nil
	return res, set, err
}

// interruptAt applies, and is interrupted at a failpoint.
func (h *harness) interruptAt(point string) {
	h.t.Helper()
	if _, _, err := h.applyFailing(point); !errors.Is(err, failpoint.ErrInjected) {
		h.t.Fatalf("the apply was not interrupted at %s: %v", point, err)
	}
}

// exactPlan returns what plan -exact says of each table, and checks that it leaves
// everything as it was.
func (h *harness) exactPlan() map[string]plan.Counts {
	h.t.Helper()
	h.remote.upload(h.t, filepath.Join(h.dir, "dumps"))
	before := h.tree()
	h.opts.Exact = true
	e := h.engine()
	h.opts.Exact = false
	p, err := e.Plan(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	defer p.Close()
	out := map[string]plan.Counts{}
	for _, t := range p.Tables {
		if t.Exact && t.Change.Class == plan.ClassNone {
			out[t.Name] = *t.Counts
		}
	}
	if after := h.tree(); !slices.Equal(before, after) {
		h.t.Fatalf("a plan wrote:\nbefore %q\nafter  %q", before, after)
	}
	return out
}

// must applies and checks everything.
func (h *harness) must() {
	h.t.Helper()
	var planned map[string]plan.Counts
	if h.exact {
		planned = h.exactPlan()
	}
	before := h.names()
	res, err := h.apply()
	if err != nil {
		h.t.Fatal(err)
	}
	h.checkNames(before)
	h.checkGuard(res)
	for _, t := range res.Tables {
		want, ok := planned[t.Name]
		got := t.Counts
		want.Written, got.Written = 0, 0 // the commit's number is in the files
		if ok && want != got {
			h.t.Fatalf("table %s: plan -exact said %+v, apply did %+v", t.Name, want, got)
		}
	}
	for _, t := range res.Tables {
		if t.Err != nil {
			h.t.Fatalf("table %s: %v", t.Name, t.Err)
		}
		if t.RedeliveryOf != nil {
			h.redeliveries[t.Name]++
		}
	}
	h.check()
	h.checkIdle()
	if h.after != nil {
		h.after()
	}
}

// checkIdle checks that a second apply finds nothing to do and writes nothing.
func (h *harness) checkIdle() {
	h.t.Helper()
	before := h.tree()
	res, err := h.apply()
	if err != nil {
		h.t.Fatal(err)
	}
	if len(res.Tables) > 0 {
		h.t.Fatalf("a second apply changed %+v; held %+v", res.Tables, res.Holds)
	}
	if after := h.tree(); !slices.Equal(before, after) {
		h.t.Fatalf("a second apply wrote:\nbefore %q\nafter  %q", before, after)
	}
}

// tree lists what the state and the sink consist of.
func (h *harness) tree() []string {
	return enginetest.Tree(h.away.isLease, h.lake(), h.stateDir())
}

// check compares every table with the model.
func (h *harness) check() {
	h.t.Helper()
	if h.unchecked {
		return
	}
	cfg := h.config()
	c := h.comparison(cfg)
	h.checkUndelivered(cfg, &model.World{Dumps: c.Dumps})
	c.Check(h.t)
}

// checkUndelivered checks that nothing is published of a table that only dumps above
// until_dump bring.
func (h *harness) checkUndelivered(cfg *config.Config, w *model.World) {
	h.t.Helper()
	for _, name := range (&model.World{Dumps: h.arrived}).Tables() {
		t, _ := cfg.Table(name, nil)
		if t == nil || slices.Contains(w.Tables(), name) {
			continue
		}
		for _, sink := range t.Sinks {
			got, err := reader.Read(filepath.Join(h.folder(sink.Path), t.Folder), name, &model.Table{})
			if err != nil || len(got.Rows) > 0 {
				h.t.Fatalf("table %s was not delivered up to until_dump, and has %d rows: %v", name, len(got.Rows), err)
			}
		}
	}
}

// counting are the dumps that have arrived, without those above until_dump.
func (h *harness) counting() []*model.Dump {
	return slices.DeleteFunc(slices.Clone(h.arrived), func(d *model.Dump) bool { return h.until != nil && d.ID > *h.until })
}

// unskipped are the dumps as the configuration lets them count.
func (h *harness) unskipped(cfg *config.Config) []*model.Dump {
	out := h.counting()
	for _, skip := range cfg.Skips {
		for i, d := range out {
			if d.ID == skip.Dump {
				out[i] = d.Without(skip.Tables...)
			}
		}
	}
	return out
}

// delivered are the columns that dumps deliver of a table.
func (h *harness) delivered(name string) []string { return enginetest.Columns(h.counting(), name) }

// comparison is what the model makes of what has arrived.
func (h *harness) comparison(cfg *config.Config) *enginetest.Comparison {
	h.t.Helper()
	var applied map[string][]int64
	delivered := h.counting()
	if h.guards != nil {
		applied, delivered = h.appliedDumps(), h.arrived
	}
	if h.guards != nil && h.guards.faults {
		h.waiting = h.behindMapping()
	}
	return &enginetest.Comparison{Applied: applied, Config: cfg, Dumps: h.unskipped(cfg), Delivered: delivered, Mapping: h.mappingVerdict().Dump, Lost: h.lost, Except: h.waiting,
		Folder: h.folder, Inspect: func() *inspect.Reader { return h.engine().Inspect() }}
}

// sortedKeys returns the keys of m in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
