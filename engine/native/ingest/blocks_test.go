package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/linkedin/goavro/v2"

	"reconcile/engine/avro"
	"reconcile/engine/decode"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/partfile"
	"reconcile/internal/blob"
)

// writeBlocks writes an Avro file with blocks of 1, 2, 3 and so on rows.
func writeBlocks(t *testing.T, path string, blocks int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := goavro.NewOCFWriter(goavro.OCFConfig{W: f, Schema: `{"type":"record","name":"r","fields":[{"name":"user_id","type":"long"}]}`})
	if err != nil {
		t.Fatal(err)
	}
	for n := range blocks {
		var rows []any
		for i := range n + 1 {
			rows = append(rows, map[string]any{"user_id": int64(i)})
		}
		if err := w.Append(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// each iterates over files.
func each(files []File) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// Whoever asks gets each block of each file once, with its place; behind the last
// one, and after an error, nobody gets another one.
func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	var files []File
	for i := range 3 {
		name := fmt.Sprintf("%d.avro", i)
		writeBlocks(t, filepath.Join(dir, name), 10*i)
		files = append(files, File{Key: name, Index: i})
	}
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	src := dump.Open(store, dump.Options{})

	g := New(&decode.Schema{}, exec.Limits{Budget: exec.RowBudget(0, 4)})
	rows, size := int64(0), int64(0)
	g.Events.Progress = func(p exec.Progress) {
		rows, size = rows+p.Rows, size+p.Bytes
		if want := (exec.Extent{Bytes: p.Bytes, Rows: p.Rows}).AsDelivered(); p.Work != want {
			t.Errorf("%d rows of %d bytes count as %d of work, want %d", p.Rows, p.Bytes, p.Work, want)
		}
	}
	got := askAtOnce(t, g.blocks(t.Context(), src, each(files)))
	for i := range files {
		info, err := os.Stat(filepath.Join(dir, files[i].Key))
		if err != nil {
			t.Fatal(err)
		}
		size -= info.Size()
		for n := range 10 * i {
			place := fmt.Sprintf("%d.avro: %d rows from %d", i, n+1, n*(n+1)/2)
			if got[place] != 1 {
				t.Errorf("%s: %d times", place, got[place])
			}
			rows -= int64(n + 1)
		}
	}
	if len(got) != 30 || rows != 0 || size != 0 {
		t.Errorf("%d blocks, and %d rows and %d bytes too many were reported", len(got), rows, size)
	}

	ctx, cancel := context.WithCancel(t.Context())
	b := g.blocks(t.Context(), src, each(files))
	if ok, err := b.next(ctx, new(job)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	cancel()
	for range 2 {
		if ok, err := b.next(ctx, new(job)); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v, %v", ok, err)
		}
	}
	b.close()

	files[1].Pin = "another"
	if err := lastError(t, g.blocks(t.Context(), src, each(files))); !errors.Is(err, partfile.ErrChanged) {
		t.Errorf("of a changed file: %v", err)
	}
	files[1].Pin = ""
	if err := os.Truncate(filepath.Join(dir, "1.avro"), 300); err != nil {
		t.Fatal(err)
	}
	var damage *avro.DamageError
	if err := lastError(t, g.blocks(t.Context(), src, each(files))); !errors.As(err, &damage) {
		t.Errorf("of a cut file: %v", err)
	}
}

// lastError asks until there is an error, which is one of the file 1.avro and stays.
func lastError(t *testing.T, b *blocks) error {
	t.Helper()
	defer b.close()
	for {
		ok, first := b.next(t.Context(), new(job))
		if ok {
			continue
		}
		var held *partfile.FileError
		if !errors.As(first, &held) || held.Key != "1.avro" {
			t.Errorf("the end is %v", first)
		}
		if ok, err := b.next(t.Context(), new(job)); ok || err != first {
			t.Errorf("after the error: %v, %v", ok, err)
		}
		return first
	}
}

// askAtOnce takes all blocks in several goroutines and counts them by their place.
func askAtOnce(t *testing.T, b *blocks) map[string]int {
	defer b.close()
	got := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			j := new(job)
			for {
				ok, err := b.next(t.Context(), j)
				if err != nil {
					t.Error(err)
				}
				if !ok {
					return
				}
				mu.Lock()
				got[fmt.Sprintf("%s: %d rows from %d", j.file.Key, j.block.Count, j.first)]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return got
}
