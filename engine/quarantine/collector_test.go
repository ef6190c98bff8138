package quarantine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestCollector has goroutines add rows to collectors that keep few in memory, and reads
// them in their order.
func TestCollector(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		files := 0
		c := NewCollector(Space{Bytes: 1 + r.IntN(4000), Temp: func() (*os.File, error) {
			files++
			return UnnamedIn(dir)
		}})
		var want []Row
		for i := range r.IntN(5000) {
			want = append(want, Row{Dump: r.Int64N(3), File: fmt.Sprint(r.IntN(4)), Row: int64(i), Reason: strings.Repeat("r", r.IntN(3)), Data: strings.Repeat("d", r.IntN(100))})
		}
		addAtOnce(t, c, slices.Clone(want))
		if c.held >= c.space.Bytes {
			t.Errorf("seed %d: %d bytes are in memory, of at most %d", seed, c.held, c.space.Bytes)
		}
		if merged := len(c.runs) > 0 && c.runs[0].level > 0; merged != (files > mergedRuns) {
			t.Errorf("seed %d: of %d files the first is merged: %v", seed, files, merged)
		}
		slices.SortFunc(want, compareRows)
		for range 2 {
			var got []Row
			if err := each(t.Context(), c, func(r Row) { got = append(got, r) }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) || c.Len() != int64(len(want)) {
				t.Fatalf("seed %d: %d rows of %d, or not in their order; %d are counted", seed, len(got), len(want), c.Len())
			}
		}
		if n := len(c.runs); n >= 4*mergedRuns {
			t.Errorf("%d runs of %d rows are left", n, len(want))
		}
		if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
			t.Errorf("%d files have names: %v", len(names), err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func addAtOnce(t *testing.T, c *Collector, rows []Row) {
	t.Helper()
	var g errgroup.Group
	for len(rows) > 0 {
		n := min(1+len(rows)/3, len(rows))
		part := rows[:n]
		rows = rows[n:]
		g.Go(func() error {
			for i := range part {
				if err := c.Add(context.Background(), part[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// each hands on the rows of a collector in their order.
func each(ctx context.Context, c *Collector, use func(Row)) error {
	slices.SortFunc(c.rows, compareRows)
	next, err := merged(ctx, c.runs, sliceOf(c.rows))
	if err != nil {
		return err
	}
	for {
		r, err := next()
		if err != nil || r == nil {
			return err
		}
		use(*r)
	}
}
