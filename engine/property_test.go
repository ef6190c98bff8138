package engine

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/config"
	"reconcile/engine/model"
	"reconcile/internal/column"
	"reconcile/internal/failpoint"
	"reconcile/internal/feed"
	"reconcile/internal/parquet"
)

var (
	flagWorlds = flag.Int("worlds", 30, "random worlds of the master property")
	flagSeed   = flag.Int64("seed", 1, "first seed of the master property")
)

// harness applies the dumps of a world through the real engine and sink, and
// compares what the sink holds with the model after every apply.
type harness struct {
	t       *testing.T
	dir     string
	prelude string // of the configuration: source, state and sinks
	hcl     string
	unit    string // time_unit of the source, none if empty
	arrived []*model.Dump
	// unchecked leaves out the comparison: what is applied while something is
	// held depends on the order of arrival.
	unchecked bool
	exact     bool // compare plan -exact with what apply does
	tuning    Tuning
	opts      Options
	fails     *failpoint.Set
	remote    *bucketPair      // where source and sink are on S3
	echoes    map[string]int   // applies that found one, by table
	passed    map[int64]bool   // dumps whose mapping was applied or accepted
	tripped   int              // applies that a guard held something of
	accepted  int              // mappings that a guard held
	waiting   []string         // tables that check leaves out, as they are held
	lost      map[string]int64 // tables whose dumps up to one are lost
}

func newHarness(t *testing.T, hcl string) *harness {
	h := &harness{t: t, dir: t.TempDir(), prelude: prelude, hcl: hcl, echoes: map[string]int{}, passed: map[int64]bool{}}
	for _, d := range []string{"dumps/manifests", "conf"} {
		if err := os.MkdirAll(filepath.Join(h.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.opts.AllowDestroy = true
	return h
}

const prelude = `
source "local" { path = "../dumps" }
reconcile { 
  state "local" { path = "../state/state.db" }
  scratch_dir = "../scratch"
}
sink "parquet" "lake" { path = "../lake" }
`

func (h *harness) config() *config.Config {
	h.t.Helper()
	text := h.prelude + h.hcl
	if h.unit != "" {
		text = strings.Replace(text, `{ path = "../dumps" }`, fmt.Sprintf("{\n  path = \"../dumps\"\n  time_unit = %q\n}", h.unit), 1)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "conf", "main.hcl"), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	cfg, src, diags := config.Load(filepath.Join(h.dir, "conf"), config.Options{Version: "0.1.0"})
	if diags.HasErrors() {
		var b strings.Builder
		_ = src.Write(&b, diags, 100, false)
		h.t.Fatal(b.String())
	}
	return cfg
}

func (h *harness) engine() *Engine {
	h.t.Helper()
	o := h.opts
	o.Program, o.Parallelism, o.Tuning = "0.1.0", 2, h.tuning
	e, err := New(context.Background(), h.config(), o)
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

// grow goes on with the files that are not complete. It must come before every
// apply: what is compared is what was applied last.
func (h *harness) grow(r *rand.Rand) bool {
	h.t.Helper()
	found, err := model.Grow(h.arrived, r, filepath.Join(h.dir, "dumps"))
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

// apply is what the command does: lock, recover, plan, apply.
func (h *harness) apply() (*Result, error) {
	ctx := context.Background()
	if h.fails != nil {
		ctx = failpoint.With(ctx, h.fails)
	}
	h.remote.upload(h.t, filepath.Join(h.dir, "dumps"))
	e := h.engine()
	l, err := e.Lock(ctx, "test")
	if err != nil {
		return nil, err
	}
	defer l.Unlock()
	if _, err := e.Recover(ctx, l); err != nil {
		return nil, err
	}
	p, err := e.PlanLocked(ctx, l)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return e.Apply(ctx, l, p)
}

// exactPlan returns what plan -exact says of each table, and sees that it leaves
// everything as it was.
func (h *harness) exactPlan() map[string]Counts {
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
	out := map[string]Counts{}
	for _, t := range p.Tables {
		if t.Exact && t.Change.Class == ClassNone {
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
	var planned map[string]Counts
	if h.exact {
		planned = h.exactPlan()
	}
	res, err := h.apply()
	if err != nil {
		h.t.Fatal(err)
	}
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
		if t.Echoes != nil {
			h.echoes[t.Name]++
		}
	}
	h.check()
	h.checkIdle()
}

// mappingVerdict is what the model says of the mappings that have arrived.
func (h *harness) mappingVerdict() model.MappingVerdict {
	h.t.Helper()
	return model.MappingFor(h.unskipped(h.config()), model.Guard{From: h.tuning.GuardFrom, Passed: h.passed})
}

// accept accepts the mapping that a guard holds, if one does.
func (h *harness) accept() {
	h.t.Helper()
	h.opts.Accept = nil
	if v := h.mappingVerdict(); v.Tripped != nil {
		h.opts.Accept = []string{fmt.Sprintf("user_migrations@%d", v.Tripped.ID)}
		h.passed[v.Tripped.ID] = true
		h.accepted++
	}
}

// checkGuard compares with the model what guards hold after an apply.
func (h *harness) checkGuard(res *Result) {
	h.t.Helper()
	v := h.mappingVerdict()
	if v.Dump != nil {
		h.passed[v.Dump.ID] = true
	}
	var got, want []int64
	for _, held := range res.Holds {
		if held.Guard != "" {
			got = append(got, held.Dump)
		}
	}
	if v.Tripped != nil {
		want = append(want, v.Tripped.ID)
		h.tripped++
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("guards hold the dumps %d instead of %d:\n%s", got, want, &model.World{Dumps: h.arrived})
	}
}

// checkIdle sees that a second apply finds nothing to do and writes nothing.
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
	var out []string
	for _, top := range []string{h.lake(), filepath.Join(h.dir, "state")} {
		_ = filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(p, ".lock") || strings.HasSuffix(p, ".readers") {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			out = append(out, fmt.Sprintf("%s %d %d", p, info.Size(), info.ModTime().UnixNano()))
			return nil
		})
	}
	return out
}

// check compares every table with the model.
func (h *harness) check() {
	h.t.Helper()
	if h.unchecked {
		return
	}
	cfg := h.config()
	arrived := h.unskipped(cfg)
	mapping := h.mappingVerdict().Dump
	w := &model.World{Dumps: arrived}
	for _, name := range w.Tables() {
		t, diags := cfg.Table(name, h.delivered(name))
		if diags.HasErrors() {
			h.t.Fatal(diags)
		}
		if t == nil || slices.Contains(h.waiting, name) {
			continue
		}
		s := model.FromConfig(t)
		left := slices.DeleteFunc(slices.Clone(arrived), func(d *model.Dump) bool { last, ok := h.lost[name]; return ok && d.ID <= last })
		set, _ := model.AppliedFor(left, name, s)
		want, err := model.Expect(set, mapping, s, name)
		if err != nil {
			continue // the table cannot be: it is held
		}
		diff := h.diffQuarantine(name, want)
		for _, sink := range t.Sinks {
			got, columns := h.read(filepath.Join(h.folder(sink.Path), t.Folder), name, want)
			diff = append(append(diff, want.Diff(got)...), want.DiffColumns(columns)...)
		}
		if len(diff) > 0 {
			h.t.Fatalf("table %s is not what it should be:\n%s\n\nthe model:\n%s\nthe dumps:\n%s", name, strings.Join(diff, "\n"), want, w)
		}
	}
}

// unskipped are the dumps as the configuration lets them count.
func (h *harness) unskipped(cfg *config.Config) []*model.Dump {
	out := slices.Clone(h.arrived)
	for _, skip := range cfg.Skips {
		for i, d := range out {
			if d.ID == skip.Dump {
				out[i] = d.Without(skip.Tables...)
			}
		}
	}
	return out
}

// diffQuarantine compares the quarantined rows of a table with the model's.
func (h *harness) diffQuarantine(name string, want *model.Table) []string {
	h.t.Helper()
	var got, expected, out []string
	for _, q := range want.Quarantine {
		expected = append(expected, fmt.Sprintf("dump %d, %s, row %d", q.Dump, q.File, q.Row))
	}
	shown, err := h.engine().Show(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	if slices.ContainsFunc(shown.Tables, func(t ShownTable) bool { return t.Name == name }) {
		err = h.engine().Quarantine(context.Background(), name, func(q QuarantineRow) error {
			got = append(got, fmt.Sprintf("dump %d, %s, row %d", q.Dump, q.File, q.Row))
			return nil
		})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(expected)
	if !slices.Equal(got, expected) {
		out = append(out, fmt.Sprintf("quarantined are %q instead of %q", got, expected))
	}
	return out
}

func (h *harness) delivered(name string) []string {
	var out []string
	for _, d := range h.arrived {
		for _, e := range d.Entries {
			if e.Table != name {
				continue
			}
			out = append(out, e.Columns...)
			for _, f := range e.Files {
				for _, fl := range f.Fields {
					if e.Columns == nil || feed.IsExact(fl.Name) {
						out = append(out, fl.Name)
					}
				}
			}
		}
	}
	return unique(out)
}

// read reads a table's folder as a reader would: every *.parquet below it.
func (h *harness) read(dir, table string, want *model.Table) (map[string]model.Row, []string) {
	h.t.Helper()
	got := map[string]model.Row{}
	columns := slices.Clone(want.Columns)
	seen := false
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".parquet") {
			return nil
		}
		if !seen {
			columns, seen = nil, true
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			h.t.Fatal(err)
		}
		part := path.Dir(filepath.ToSlash(rel))
		if part == "." {
			part = ""
		}
		for _, c := range h.readFile(p, table, part, got) {
			if !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
		return nil
	})
	for _, c := range want.Columns {
		if !slices.Contains(columns, c) && seen {
			columns = append(columns, c) // readers unite by name: files from before a column lack it
		}
	}
	return got, columns
}

func (h *harness) readFile(p, table, part string, got map[string]model.Row) []string {
	h.t.Helper()
	data, err := os.ReadFile(p)
	if err != nil {
		h.t.Fatal(err)
	}
	f, err := parquet.Open(strings.NewReader(string(data)), int64(len(data)))
	if err != nil {
		h.t.Fatal(p, err)
	}
	var names []string
	for _, c := range f.Columns() {
		names = append(names, fold(c.Name))
	}
	for g := range f.RowGroups() {
		b := &column.Batch{}
		if err := f.ReadRowGroup(g, f.Columns(), b); err != nil {
			h.t.Fatal(p, err)
		}
		for i := range b.N {
			row := model.Row{Partition: part, Values: map[string]*string{}}
			for c := range b.Cols {
				if !b.Cols[c].IsNull(i) {
					row.Values[names[c]] = model.Text(cellText(&b.Cols[c], i))
				}
			}
			key := keyText(table, names, row)
			if _, twice := got[key]; twice {
				h.t.Fatalf("table %s holds row %s twice", table, key)
			}
			got[key] = row
		}
	}
	return names
}

// cellText is the text that the model uses.
func cellText(c *column.Column, i int) string {
	if c.Type.ID == column.Timestamp {
		return time.UnixMilli(c.Ints[i]).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return string(column.AppendText(nil, c, i))
}

func keyText(table string, names []string, row model.Row) string {
	value := func(name string) string {
		if v := row.Values[name]; v != nil {
			return *v
		}
		return "null"
	}
	switch table {
	case tableUsers:
		return value(colUserID)
	case tableMapping:
		return value(colFrom)
	}
	return value(names[1]) + "/" + value(colUserID)
}

// tiny makes little data take every path.
func tiny(r *rand.Rand) Tuning {
	t := Tuning{GroupRows: 1 + r.Intn(5), SpillGroup: 1 + r.Intn(4), HashBits: 8, Inline: []int{1, 1 << 10, 0}[r.Intn(3)], IndexRuns: 1 + r.Intn(3), Settle: 1, MarkFrom: 1}
	if r.Intn(2) == 0 {
		t.Memory = 1 + r.Intn(60_000)
	}
	if r.Intn(2) == 0 {
		t.AppendAt, t.CutAt = 1, []int{1, 4 << 10, 0}[r.Intn(3)]
	}
	t.NoDelta = r.Intn(4) == 0
	return t
}

var partitionings = []string{`[]`, `[year(time)]`, `[year(time), month(time)]`, `[year(time), month(time), day(time)]`,
	`[year(time), month(time), day(time), hour(time)]`, `[date(time)]`}

func randomConfig(r *rand.Rand) string {
	one := func(list ...string) string { return list[r.Intn(len(list))] }
	var b strings.Builder
	fmt.Fprintf(&b, "table \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = %s\n", one(partitionings...))
	if r.Intn(2) == 0 {
		fmt.Fprintf(&b, "  column \"revenue\" {\n    type = %s\n  }\n", one(`"decimal(12,2)"`, `"decimal(24,3)"`, "\"decimal(12,2)\"\n    round = \"half_even\"",
			"\"decimal(24,3)\"\n    round = \"half_even\"", `"double"`, `"string"`))
		fmt.Fprintf(&b, "  column \"qty\" { type = %q }\n", one("int64", "double"))
		b.WriteString("  column \"ok\" { type = \"boolean\" }\n  column \"payload\" { type = \"json\" }\n  column \"born\" { type = \"date\" }\n  column \"seen\" {\n    type = \"timestamp\"\n")
		if unit := one("", "auto", "s", "ms", "ns"); unit != "" {
			fmt.Fprintf(&b, "    time_unit = %q\n", unit)
		}
		b.WriteString("  }\n")
	}
	if r.Intn(3) == 0 {
		b.WriteString("  column \"path\" { as = \"route\" }\n")
	}
	if r.Intn(4) == 0 {
		b.WriteString("  column \"PATH\" { as = \"shout\" }\n")
	}
	masked := ""
	switch r.Intn(5) {
	case 0:
		fmt.Fprintf(&b, "  column \"Order_Total\" { as = %q }\n", one("total", "sum"))
	case 1:
		b.WriteString("  column \"order_total\" { type = \"decimal(12,2)\" }\n  column \"Time\" { type = \"timestamp\" }\n")
	case 2:
		masked = `, "Order_Total", "Time_", "User_ID"`
	}
	b.WriteString("}\ntable \"users\" {\n  sinks = [sink.parquet.lake]\n")
	if r.Intn(2) == 0 {
		fmt.Fprintf(&b, "  column \"count\" { \n type = \"int64\" \n merge = %q \n }\n  column \"plan\" { merge = %q }\n", one("min", "max", "latest"), one("min", "max"))
	}
	b.WriteString("}\n")
	if r.Intn(2) == 0 {
		b.WriteString("table \"user_migrations\" { sinks = [sink.parquet.lake] }\n")
	}
	if r.Intn(3) == 0 {
		fmt.Fprintf(&b, "mask \"pii\" {\n  columns = [\"email\", \"br*\"%s]\n  optional = true\n  method = %q\n}\n", masked, one("null", "drop"))
	} else if r.Intn(3) == 0 {
		fmt.Fprintf(&b, "mask \"pii\" {\n  columns = [\"email\", \"br*\"%s]\n  optional = true\n  method = \"hmac-sha256\"\n  key = \"k1\"\n}\n", masked)
	}
	return b.String()
}

// TestMasterProperty applies random exports in random order and grouping, with
// changes of the configuration in between, and compares with the model after
// every apply.
func TestMasterProperty(t *testing.T) {
	for i := range *flagWorlds {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { randomWorld(t, seed, nil) })
	}
}

// unclear reports whether a manifest never says if it is incremental: nothing
// heals that.
func unclear(d *model.Dump) bool {
	said := map[string]bool{}
	for _, e := range d.Entries {
		if e.Table == tableMapping {
			continue
		}
		if was, ok := said[e.Table]; e.Incremental == nil || ok && was != *e.Incremental {
			return true
		}
		said[e.Table] = *e.Incremental
	}
	return false
}

func randomWorld(t *testing.T, seed int64, remote *bucketPair) {
	r := rand.New(rand.NewSource(seed))
	opt := model.GenOptions{Tame: seed%3 == 0}
	if seed%4 == 1 {
		opt.Faults = 0.1
	}
	if seed%2 == 0 {
		opt.Echoes = 0.2
	}
	guardFrom := 0
	if seed%5 == 2 {
		opt.Shrinks, guardFrom = 0.4, 1+int(seed/5)%8
	}
	if seed%5 >= 3 {
		opt.Growing = 0.25
	}
	w := model.Random(r, opt)
	h := newHarness(t, randomConfig(r))
	h.unit = randomUnit(r)
	if remote != nil {
		h.remote, h.prelude = remote, remote.prelude()
	}
	order := slices.Clone(w.Dumps)
	switch r.Intn(3) {
	case 0:
		slices.Reverse(order)
	case 1:
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	h.unchecked = opt.Faults > 0 && !slices.IsSortedFunc(order, func(a, b *model.Dump) int { return cmp.Compare(a.ID, b.ID) })
	for len(order) > 0 {
		n := 1 + r.Intn(min(3, len(order)))
		h.tuning = tiny(r)
		h.tuning.GuardFrom = guardFrom
		h.exact = r.Intn(5) == 0 && opt.Faults == 0
		h.grow(r)
		h.arrive(order[:n]...)
		order = order[n:]
		if guardFrom > 0 && r.Intn(4) == 0 {
			h.accept()
		}
		h.must()
	}
	h.exact = false
	healed := false
	for _, d := range h.arrived {
		if d.Held("pageviews", model.Plain{}) != "" || opt.Faults > 0 {
			if err := d.Heal(filepath.Join(h.dir, "dumps")); err != nil {
				t.Fatal(err)
			}
			healed = true
		}
	}
	if healed {
		h.unchecked = slices.ContainsFunc(h.arrived, unclear) && h.unchecked
		h.grow(r)
		h.must()
	}
	for range r.Intn(3) {
		h.hcl, h.unit = randomConfig(r), randomUnit(r)
		h.tuning = tiny(r)
		h.tuning.GuardFrom = guardFrom
		h.grow(r)
		h.must()
	}
	for h.grow(r) {
		h.tuning = tiny(r)
		h.tuning.GuardFrom = guardFrom
		h.must()
	}
}

// randomUnit is mostly one by which most times of a world are what they are without.
func randomUnit(r *rand.Rand) string {
	return []string{"", "", "auto", "ms", "ms", "us"}[r.Intn(6)]
}
