package exec

import (
	"fmt"
	"testing"
)

func TestBudgetDividesTheMemoryForRows(t *testing.T) {
	b := NewBudget(1<<30, 2)
	rows := int(float64(1<<30-64<<20) * 0.4)
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"segments", b.Segments(), rows / 2},
		{"a block", b.Block(), 256 << 20},
		{"text of a block", b.Text(), 256 << 20},
		{"a manifest", int(b.Manifest()), 256 << 20},
		{"a manifest with little memory", int(NewBudget(64<<20, 2).Manifest()), 16 << 20},
		{"a manifest with much memory", int(NewBudget(64<<30, 2).Manifest()), 256 << 20},
		{"a manifest without a limit", int(RowBudget(1, 2).Manifest()), 256 << 20},
		{"rows of a scratch file", b.ScratchRows(), 16384},
		{"bytes of a scratch file", b.ScratchBytes(), 60 << 10},
		{"segments of a merge", b.Merged(), rows / 4 / (120 << 10)},
		{"segments of a merge with little memory", RowBudget(1<<10, 1).Merged(), 2},
		{"collecting", b.Collecting(), rows / 8},
		{"row group", b.RowGroup(), rows / 8},
		{"row group of a file", b.FileRowGroup(), (1<<30 - 64<<20) / 16},
		{"row group of a file with little memory", NewBudget(64<<20, 2).FileRowGroup(), (96<<20 + 40e6 - 64<<20) / 16},
		{"row group of a file with much memory", NewBudget(64<<30, 2).FileRowGroup(), 96 << 20},
		{"texts", b.Texts(), rows / 32},
		{"verdicts", b.Verdicts(), rows / 160},
		{"index entries", b.IndexEntries(), rows / 64},
		{"entries compared at once", Limits{Budget: b}.Probed(), rows / 256},
		{"contested rows", Limits{Budget: b}.Contested(), rows / 128},
		{"entries compared at once, by the threshold", Limits{Budget: b, ProbeAtOnce: 3}.Probed(), 3},
		{"filters of a run of the index", b.IndexFilters(), 16 << 20},
		{"segments of a prefetched table", b.Prefetched().Segments(), rows / 4},
		{"workers of a prefetched table", b.Prefetched().Workers(), 1},
		{"segments of moved users", b.MovedUsers().Segments(), rows / 8},
		{"segments of a delta of users", b.UsersDelta().Segments(), rows / 4},
		{"encoders of one file", b.Encoders(1), 2},
		{"encoders of no file", b.Encoders(0), 2},
		{"encoders of three files", b.Encoders(3), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d instead of %d", c.name, c.got, c.want)
		}
	}
	for _, limit := range []int64{1 << 20, 64 << 20, 128 << 20, 256 << 20, 1 << 30, 64 << 30} {
		for workers := 1; workers <= 64; workers *= 2 {
			if b := NewBudget(limit, workers); b.RowGroup() > leastRowGroup {
				checkSums(t, fmt.Sprintf("%d workers with %d bytes", workers, limit), limit, b)
			}
		}
	}
}

// checkSums adds up what is held at a time.
func checkSums(t *testing.T, name string, limit int64, b Budget) {
	t.Helper()
	taking := b.Segments() + b.Workers()*b.Collecting() + b.Verdicts()*verdictSize + b.Texts()
	writing := b.Segments() + b.Workers()*2*b.RowGroup() + b.IndexEntries()*indexEntrySize + b.Texts()
	users := b.Segments() + b.MovedUsers().Segments() + b.RowGroup() + b.Texts()
	usersDelta := 2*(b.UsersDelta().Segments()+b.Workers()*b.UsersDelta().Collecting()) + b.Texts()
	if taking > b.Rows()+b.Texts() || usersDelta > b.Rows()+b.Texts() {
		t.Errorf("%s: rows that are taken in get %d bytes of %d, users of a delta %d", name, taking, b.Rows(), usersDelta)
	}
	prefetched := b.Workers() * b.Prefetched().Rows()
	given := int(max(limit-programSize, programSize))
	if use := max(taking, writing, users, usersDelta) + prefetched; use > given || prefetched > b.Rows() {
		t.Errorf("%s: a table and %d bytes of prefetched ones get %d of %d bytes", name, prefetched, use, given)
	}
}

func TestLimitsOfScratchFiles(t *testing.T) {
	b := NewBudget(1<<30, 2)
	if got := (Limits{Budget: b}).ScratchRows(); got != b.ScratchRows() {
		t.Errorf("%d rows of a scratch file are read at once", got)
	}
	if got := (Limits{Budget: b, SpillGroup: 3}).ScratchRows(); got != 3 {
		t.Errorf("%d rows of a scratch file are read at once, not the 3 that were asked for", got)
	}
}

func TestBudgetOfLittleMemory(t *testing.T) {
	if got, want := NewBudget(1<<20, 1).Segments(), NewBudget(112<<20, 1).Segments(); got != want || got == 0 {
		t.Errorf("a limit below what the program takes leaves %d bytes for segments, not %d", got, want)
	}
	if got := RowBudget(1<<10, 4).RowGroup(); got != 1<<20 {
		t.Errorf("a row group waits for %d bytes", got)
	}
	if got := RowBudget(1<<40, 1).RowGroup(); got != 64<<20 {
		t.Errorf("a row group waits for %d bytes", got)
	}
}

func TestBudgetTellsWhatFits(t *testing.T) {
	b := RowBudget(1000, 2)
	for _, c := range []struct {
		bytes             int64
		holds, prefetches bool
	}{{250, true, true}, {251, false, true}, {500, false, true}, {501, false, false}} {
		if b.Holds(c.bytes) != c.holds || b.Prefetches(2, c.bytes) != c.prefetches {
			t.Errorf("of %d bytes: holds %v, prefetches %v", c.bytes, b.Holds(c.bytes), b.Prefetches(2, c.bytes))
		}
	}
	if b.Prefetches(3, 0) {
		t.Error("three tables are prefetched by two workers")
	}
}
