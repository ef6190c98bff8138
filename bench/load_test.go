// Package bench measures whole applies; the tools beside it make the data and
// compare with another engine.
package bench

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"testing"

	"reconcile/bench/internal/export"
	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/exec"
)

var (
	flagEvents = flag.Int("events", 200_000, "page views of the export that benchmarks apply")
	flagNight  = flag.Int("night", 20_000, "page views of the night on top of it")
)

const configuration = `
source "local" { path = "../dumps" }
reconcile {
  state "local" { path = "../work/state.db" }
  scratch_dir = "../work/scratch"
}
sink "parquet" "lake" { path = "../work/lake" }
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
ignore "user_migrations" {}
`

// world is an export and a configuration that applies it.
type world struct {
	dir  string
	rows int64
}

func newWorld(b *testing.B) *world {
	b.Helper()
	w := &world{dir: b.TempDir()}
	n := *flagEvents
	s, err := export.Write(filepath.Join(w.dir, "dumps"), export.Options{
		Events: n, Sessions: n/10 + 1, Users: n/20 + 2, Columns: 35, Days: 30, Dumps: 5,
		Order: export.Shuffled, Overlap: 0.1, Migrations: n / 100, Codec: "snappy", FileRows: 100_000, Seed: 1,
	})
	if err != nil {
		b.Fatal(err)
	}
	w.rows = s.Rows
	if err := os.Mkdir(filepath.Join(w.dir, "conf"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "conf", "main.hcl"), []byte(configuration), 0o644); err != nil {
		b.Fatal(err)
	}
	return w
}

// apply applies what is pending. Profiles hold its samples under the label
// step, apart from those of making the data.
func (w *world) apply(b *testing.B, step string) {
	b.Helper()
	pprof.Do(context.Background(), pprof.Labels("step", step), func(ctx context.Context) { w.run(ctx, b) })
}

func (w *world) run(ctx context.Context, b *testing.B) {
	b.Helper()
	cfg, _, diags := config.Load(filepath.Join(w.dir, "conf"), config.Options{Version: "0.1.0"})
	if diags.HasErrors() {
		b.Fatal(diags)
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(exec.Resident(cfg.MemoryLimit) / 100 * 90))
	e, err := engine.New(context.Background(), cfg, engine.Options{Program: "0.1.0"})
	if err != nil {
		b.Fatal(err)
	}
	l, err := e.Lock(ctx, "bench")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Unlock()
	p, err := e.PlanLocked(ctx, l)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	if _, err := e.Apply(ctx, l, p); err != nil {
		b.Fatal(err)
	}
}

func (w *world) reset(b *testing.B) {
	b.Helper()
	if err := os.RemoveAll(filepath.Join(w.dir, "work")); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkColdLoad applies all dumps of an export at once.
func BenchmarkColdLoad(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w.reset(b)
		b.StartTimer()
		w.apply(b, "cold")
	}
	b.ReportMetric(float64(w.rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkNight applies one small dump after another to a table that is there.
func BenchmarkNight(b *testing.B) {
	w := newWorld(b)
	w.apply(b, "cold")
	b.ReportAllocs()
	rows := int64(0)
	for b.Loop() {
		b.StopTimer()
		s, err := export.AddNight(filepath.Join(w.dir, "dumps"), export.Night{Events: *flagNight, Migrations: 10})
		if err != nil {
			b.Fatal(err)
		}
		rows += s.Rows
		b.StartTimer()
		w.apply(b, "night")
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
