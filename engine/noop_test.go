package engine

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/model"
	"reconcile/internal/blob"
	"reconcile/sinks/parquet"
)

// counting counts what a store is asked for.
type counting struct {
	blob.Store
	mu  sync.Mutex
	did map[string]int
}

func (c *counting) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did[what]++
}

func (c *counting) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	c.count("list")
	return c.Store.List(ctx, prefix)
}

func (c *counting) ListDated(ctx context.Context, prefix string) ([]blob.Object, map[string]int64, error) {
	c.count("list")
	return blob.ListDated(ctx, c.Store, prefix)
}

func (c *counting) ListSince(ctx context.Context, prefix, fingerprint string, files []blob.Pinned) ([]blob.Object, bool, error) {
	list, whole, err := blob.ListSince(ctx, c.Store, prefix, fingerprint, files)
	if whole {
		c.count("list by a fingerprint")
	} else {
		c.count("list")
	}
	return list, whole, err
}

func (c *counting) Fingerprint(ctx context.Context, prefix string, keys []string) (string, error) {
	c.count("fingerprint")
	return blob.Fingerprint(ctx, c.Store, prefix, keys)
}

func (c *counting) Sizes(ctx context.Context, keys []string) ([]int64, error) {
	c.count("sizes")
	return blob.Sizes(ctx, c.Store, keys)
}

func (c *counting) Stat(ctx context.Context, key string) (blob.Object, error) {
	c.count("stat")
	return c.Store.Stat(ctx, key)
}

func (c *counting) Open(ctx context.Context, key string) (blob.Handle, error) {
	c.count("open")
	return c.Store.Open(ctx, key)
}

func (c *counting) RemoveLeftovers(ctx context.Context, o blob.Leftovers) error {
	c.count("tidy")
	return c.Store.RemoveLeftovers(ctx, o)
}

// countNoop plans or applies where nothing is to be done, and returns what the
// source and the sink were asked for.
func countNoop(t *testing.T, h *harness, apply bool) (source, sink map[string]int) {
	t.Helper()
	e, ctx := h.engine(), context.Background()
	stores := map[string]*counting{}
	for _, name := range []string{"dumps", "lake"} {
		l, err := blob.NewLocal(filepath.Join(h.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		stores[name] = &counting{Store: l, did: map[string]int{}}
	}
	e.source = dump.Open(stores["dumps"], dump.Options{Dated: true, Settle: h.tuning.Settle})
	for _, root := range e.lake.Roots() {
		e.lake.Use(root, parquet.New(stores["lake"], parquet.Options{}))
	}
	lock, err := e.Lock(ctx, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if _, err := e.Recover(ctx, lock); err != nil {
		t.Fatal(err)
	}
	p, err := e.PlanLocked(ctx, lock)
	if err != nil || p.Changes() {
		t.Fatalf("%v, %+v", err, p)
	}
	if apply {
		if _, err := e.Apply(ctx, lock, p); err != nil {
			t.Fatal(err)
		}
	}
	return stores["dumps"].did, stores["lake"].did
}

// skipUnfingerprinted skips the test where the file system is none whose folders
// have fingerprints.
func skipUnfingerprinted(t *testing.T, dir, folder string) {
	t.Helper()
	l, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Settle = 1
	list, err := l.List(context.Background(), folder)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range list {
		keys = append(keys, o.Key)
	}
	if fingerprint, err := l.Fingerprint(context.Background(), folder, keys); fingerprint == "" {
		t.Skip("folders have no fingerprints here", err)
	}
}

// TestNoopCosts: what a plan and an apply with nothing to do ask of the source and
// of the sink. These numbers are to be changed on purpose only.
func TestNoopCosts(t *testing.T) {
	t.Parallel()
	const dumps, tables, days = 5, 3, 4
	h := newHarness(t, `table "*" {
  sinks = [sink.parquet.lake]
  partition_by = [date(time)]
}`)
	h.tuning.Settle, h.tuning.FingerprintFrom = time.Second, 1
	deliver := func(id int) {
		var entries []model.Entry
		for i := range tables {
			var rows [][]any
			for day := range days {
				rows = append(rows, row(100*id+day, 7, 86400*(20000+day)))
			}
			part := avroPart("event_id user_id time:long", rows...)
			part.Key = fmt.Sprintf("sync_%d/%d.avro", id, i)
			entries = append(entries, more(fmt.Sprintf("t%d", i), part))
		}
		h.arrive(dumpOf(int64(id), entries...))
		h.must()
	}
	for id := range dumps {
		deliver(id + 1)
	}
	skipUnfingerprinted(t, filepath.Join(h.dir, "lake"), "t0")
	time.Sleep(2 * h.tuning.Settle)
	h.arrive(dumpOf(99, more("another", avroPart("event_id user_id", row(1, 2)))))
	h.must() // changes one table, and takes the fingerprints of what has settled of the others
	for _, apply := range []bool{false, true} {
		source, sink := countNoop(t, h, apply)
		if want := (map[string]int{"list": 1, "open": 1, "sizes": tables + 1}); !maps.Equal(source, want) {
			t.Errorf("apply %v: of the source: %v, want %v", apply, source, want)
		}
		want := map[string]int{"open": 1, "list by a fingerprint": tables, "list": 1} // the one that changed a moment ago
		if apply {
			want["list"]++ // what is staged
			want["tidy"]++
		}
		if !maps.Equal(sink, want) {
			t.Errorf("apply %v: of the sink: %v, want %v", apply, sink, want)
		}
	}
}

// TestDriftBelowFingerprints: a fingerprint keeps no change of a file from being seen.
func TestDriftBelowFingerprints(t *testing.T) {
	t.Parallel()
	h := newHarness(t, `table "*" {
  sinks = [sink.parquet.lake]
  partition_by = [date(time)]
}`)
	h.tuning.Settle, h.tuning.FingerprintFrom = 1, 1
	part := avroPart("event_id user_id time:long", row(1, 7, 86400*20000), row(2, 7, 86400*20001))
	part.Key = "sync_1/0.avro"
	h.arrive(dumpOf(1, more("t", part)))
	h.must()
	skipUnfingerprinted(t, filepath.Join(h.dir, "lake"), "t")
	name := onlyFile(t, filepath.Join(h.dir, "lake", "t", "date=2024-10-04"))
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	drift := func(how string, want int) {
		t.Helper()
		p, err := h.engine().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if got := p.Tables[0].Drift; len(got) != want {
			t.Errorf("%s: the drift is %q", how, got)
		}
	}
	write := func(b []byte) {
		t.Helper()
		time.Sleep(20 * time.Millisecond) // more than a tick of the clock that dates files
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	drift("nothing changed", 0)
	changed := bytes.Clone(old)
	changed[len(old)/2] ^= 1
	write(changed)
	drift("a bit flipped in place", 1)
	write(old)
	drift("flipped back, with another time", 0)
	if err := os.WriteFile(filepath.Join(filepath.Dir(name), "foreign.parquet"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.engine().Plan(t.Context()); err == nil {
		t.Error("a foreign file was not seen")
	}
}
