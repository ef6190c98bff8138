package bench

import (
	"os"
	"path/filepath"
	"testing"

	"reconcile/bench/internal/export"
	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/enginetest"
	"reconcile/engine/plan"
)

// TestEstimates: what a plan says an apply will write is right within a factor of 1.5, for
// nights that bring rows of the same days as the one before.
func TestEstimates(t *testing.T) {
	dir := t.TempDir()
	dumps := filepath.Join(dir, "dumps")
	if _, err := export.Write(dumps, export.Options{Events: 60_000, Sessions: 6_000, Users: 6_000, Columns: 35, Days: 30, Dumps: 5,
		Order: export.Shuffled, Overlap: 0.1, Migrations: 300, Newcomers: 200, Codec: "snappy", FileRows: 10_000, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "conf", "main.hcl"), []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	estimateAndApply(t, dir)
	for _, n := range []struct {
		name string
		export.Night
	}{
		{"", export.Night{Events: 3_000, Migrations: 5, Recent: true}}, // the dump before it has other days
		{"night", export.Night{Events: 3_000, Migrations: 5, Recent: true}},
		{"old users re-keyed", export.Night{Migrations: 3}},
		{"only old users re-keyed", export.Night{Users: -1, Migrations: 1}},
		{"night with nobody re-keyed", export.Night{Events: 3_000}},
		{"many users re-keyed", export.Night{Events: 3_000, Migrations: 200}},
		{"the same dump again", export.Night{Again: true}},
	} {
		if _, err := export.AddNight(dumps, n.Night); err != nil {
			t.Fatal(err)
		}
		said, wrote := estimateAndApply(t, dir)
		for table, s := range said {
			if w := wrote[table]; n.name != "" && (!near(s.BytesToWrite, w.Written) || !near(s.Partitions, w.Partitions)) {
				t.Errorf("%s: table %s: the plan says %d partitions and %d bytes, %d and %d were written", n.name, table,
					s.Partitions, s.BytesToWrite, w.Partitions, w.Written)
			}
		}
	}
}

// estimateAndApply applies what is pending, and returns by table what a plan says of it and
// what it came to.
func estimateAndApply(t *testing.T, dir string) (said map[string]*plan.Table, wrote map[string]plan.Counts) {
	t.Helper()
	cfg, _, diags := config.Load(filepath.Join(dir, "conf"), config.Options{Version: "0.1.0"})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	e, err := engine.New(t.Context(), cfg, engine.Options{Program: "0.1.0", Parallelism: 2})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said, wrote = map[string]*plan.Table{}, map[string]plan.Counts{}
	for _, x := range p.Tables {
		if x.Action != plan.None {
			said[x.Name] = x
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	res, err := enginetest.Apply(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range res.Tables {
		wrote[x.Name] = x.Counts
	}
	return said, wrote
}

// near reports whether an estimate is right within a factor of 1.5.
func near(said, was int64) bool { return 2*said <= 3*was && 2*was <= 3*said }
