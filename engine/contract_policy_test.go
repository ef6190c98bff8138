package engine

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
)

// wild invents configurations that use every setting of a column, whatever the
// column holds.
type wild struct {
	r *rand.Rand
	b strings.Builder
}

var wildColumns = []string{"path", "browser", "email", "plan", "price", "count", "Title", "blob", "revenue", "qty", "ratio", "ok", "payload",
	"seen", "born", "year", "Day_", "tags", "attrs", "place", "amount", "birthday", "checked", "mixed", "size", "code", "real"}

var wildTypes = []string{"string", "int64", "double", "boolean", "timestamp", "date", "decimal(4,1)", "decimal(12,2)", "decimal(30,3)", "json"}

func (w *wild) one(list ...string) string { return list[w.r.Intn(len(list))] }

func (w *wild) chance(p float64) bool { return w.r.Float64() < p }

// config writes one configuration. Judged ones hold tables for what arrives.
func (w *wild) config(judged bool) string {
	w.b.Reset()
	masked := map[string]bool{}
	var masks strings.Builder
	for i, method := range []string{"null", "drop", "hmac-sha256"} {
		if !w.chance(0.3) {
			continue
		}
		name := w.one("email", "blob", "Title", "payload", "path", "revenue", "seen")
		if masked[name] {
			continue
		}
		masked[name] = true
		fmt.Fprintf(&masks, "mask \"m%d\" {\n  columns = [%q]\n  method = %q\n  optional = true\n", i, strings.ToUpper(name), method)
		if method == "hmac-sha256" {
			fmt.Fprintf(&masks, "  key = %q\n", w.one("k1", "k2"))
		}
		masks.WriteString("}\n")
	}
	policy := ""
	switch {
	case w.chance(0.3):
		policy = fmt.Sprintf("  on_schema_change = \"ignore\"\n  columns = [%s]\n", w.list())
	case judged && w.chance(0.3):
		policy = fmt.Sprintf("  on_schema_change = \"freeze\"\n  columns = [%s]\n", w.list())
	}
	if judged && w.chance(0.4) {
		policy += "  on_cast_error = \"fail\"\n"
	}
	fmt.Fprintf(&w.b, "sink \"parquet\" \"pond\" {\n  path = \"../pond\"\n  compression = %q\n}\n", w.one("zstd", "snappy", "none"))
	for _, table := range []string{"*", "users"} {
		sinks := "sink.parquet.lake"
		if w.chance(0.3) {
			sinks = w.one("sink.parquet.pond", "sink.parquet.lake, sink.parquet.pond", "sink.parquet.pond, sink.parquet.lake")
		}
		fmt.Fprintf(&w.b, "table %q {\n  sinks = [%s]\n%s", table, sinks, policy)
		if table == "users" && w.chance(0.3) {
			w.b.WriteString("  as = \"people\"\n")
		}
		typed := map[string]string{}
		for _, c := range wildColumns {
			if w.chance(0.4) && !masked[c] {
				typed[c] = w.one(wildTypes...)
			}
		}
		if table == "*" {
			w.partition(typed, masked)
		}
		for _, c := range wildColumns {
			w.column(table, c, typed[c], masked[c])
		}
		w.b.WriteString("}\n")
	}
	if w.chance(0.5) {
		w.b.WriteString("table \"user_migrations\" { sinks = [sink.parquet.lake] }\n")
	}
	return w.b.String() + masks.String()
}

func (w *wild) list() string {
	names := []string{`"time"`, `"joindate"`, `"seen"`, `"born"`}
	for _, c := range append(slices.Clone(wildColumns), "session_id", "last_modified", "ghost") {
		if w.chance(0.7) && c != "seen" && c != "born" {
			names = append(names, fmt.Sprintf("%q", c))
		}
	}
	return strings.Join(names, ", ")
}

func (w *wild) partition(typed map[string]string, masked map[string]bool) {
	switch {
	case w.chance(0.3) && !masked["seen"]:
		typed["seen"] = "timestamp"
		fmt.Fprintf(&w.b, "  partition_by = %s\n", w.one("[date(seen)]", "[year(seen)]", "[year(seen), month(seen), day(seen), hour(seen)]"))
	case w.chance(0.3):
		typed["born"] = "date"
		fmt.Fprintf(&w.b, "  partition_by = %s\n", w.one("[date(born)]", "[year(born), month(born)]"))
	default:
		fmt.Fprintf(&w.b, "  partition_by = %s\n", w.one(model.Partitionings...))
	}
}

func (w *wild) column(table, name, typ string, masked bool) {
	var in []string
	if typ != "" {
		in = append(in, fmt.Sprintf("type = %q", typ))
	}
	label := w.one(name, strings.ToUpper(name))
	if strings.HasPrefix(typ, "decimal") && w.chance(0.4) {
		in = append(in, `round = "half_even"`)
	}
	if (typ == "timestamp" || typ == "date") && w.chance(0.4) {
		in = append(in, fmt.Sprintf("time_unit = %q", w.one("auto", "s", "ms", "us", "ns")))
	}
	if w.chance(0.1) {
		in = append(in, fmt.Sprintf("as = %q", "new_"+strings.TrimRight(name, "_")))
		if typ != "" {
			label = name // tables may be partitioned by it
		}
	}
	if table == "users" && w.chance(0.5) {
		in = append(in, fmt.Sprintf("merge = %q", w.one("min", "max", "latest")))
	}
	if len(in) > 0 {
		fmt.Fprintf(&w.b, "  column %q {\n    %s\n  }\n", label, strings.Join(in, "\n    "))
	}
}

// TestContractPolicies plays random exports under random configurations that judge
// what arrives, in the order of the dumps, and compares with the model.
func TestContractPolicies(t *testing.T) {
	for i := range contractWorlds() {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(seed))
			world := model.Random(r, model.GenOptions{Tame: seed%5 == 0})
			w := &wild{r: r}
			h := newHarness(t, w.config(true))
			h.unit = model.RandomUnit(r)
			order := slices.Clone(world.Dumps)
			slices.SortFunc(order, func(a, b *model.Dump) int { return cmp.Compare(a.ID, b.ID) })
			for len(order) > 0 {
				n := 1 + r.Intn(min(3, len(order)))
				h.tuning = tiny(r)
				h.arrive(order[:n]...)
				order = order[n:]
				h.must()
			}
		})
	}
}

// TestContractConfigurations plays random exports under random configurations that
// change, and compares with the model after every change.
func TestContractConfigurations(t *testing.T) {
	for i := range contractWorlds() {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(seed))
			world := model.Random(r, model.GenOptions{Tame: seed%5 == 0})
			w := &wild{r: r}
			h := newHarness(t, w.config(false))
			h.opts.Accept = []string{"mask.m2"} // whose key changes
			order := slices.Clone(world.Dumps)
			for len(order) > 0 {
				n := 1 + r.Intn(min(4, len(order)))
				h.tuning = tiny(r)
				h.arrive(order[:n]...)
				order = order[n:]
				h.must()
				if r.Intn(2) == 0 {
					h.hcl, h.unit = w.config(false), model.RandomUnit(r)
				}
			}
			h.hcl, h.unit = w.config(false), model.RandomUnit(r)
			h.must()
		})
	}
}

// contractWorlds is how many worlds each of the configuration tests plays: with
// -worlds that many, otherwise a share of those of the master property.
func contractWorlds() int {
	if f := flag.Lookup("worlds"); f.Value.String() != f.DefValue {
		return *flagWorlds
	}
	return *flagWorlds / 3
}
