package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/engine/verify"
	"reconcile/internal/column"
)

// parquetFiles are the data files of a table.
func (h *harness) parquetFiles(table string) []string {
	h.t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(h.dir, "lake", table), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// Files that are damaged, gone, foreign or in another folder are named.
func TestVerifyFindsFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(h *harness, path string) error
		want []string
	}{
		{"gone", func(_ *harness, path string) error { return os.Remove(path) }, []string{"it is missing", "missing 1 user 1 raw 2 dump 1"}},
		{"foreign", func(_ *harness, path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(filepath.Join(filepath.Dir(path), "copy.parquet"), data, 0o644))
		}, []string{"copy.parquet: the state does not know it, and readers count its rows"}},
		{"elsewhere", func(h *harness, path string) error {
			to := filepath.Join(h.dir, "lake/checkout/date=2026-01-07")
			return errors.Join(os.Mkdir(to, 0o755), os.Rename(path, filepath.Join(to, filepath.Base(path))))
		}, []string{"it is missing", "the state does not know it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := verifiedWorld(t)
			if err := c.do(h, h.parquetFiles("checkout")[0]); err != nil {
				t.Fatal(err)
			}
			text := told(h.verified(verify.Sample{}))
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("verify does not say %q:\n%s", want, text)
				}
			}
		})
	}
	t.Run("flipped", func(t *testing.T) {
		h := verifiedWorld(t)
		path := h.parquetFiles("checkout")[0]
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		unreadable := 0
		for at := 4; at < len(whole); at += len(whole) / 40 {
			data := slices.Clone(whole)
			data[at] ^= 4
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			text := told(h.verified(verify.Sample{}))
			if !strings.Contains(text, "it is not the file that was written") {
				t.Errorf("byte %d:\n%s", at, text)
			}
			if strings.Contains(text, "missing 1 user 1 raw 2 dump 1") {
				unreadable++
			}
		}
		if unreadable == 0 {
			t.Error("no byte made the file unreadable")
		}
	})
	t.Run("touched", func(t *testing.T) {
		h := verifiedWorld(t)
		path := h.parquetFiles("checkout")[0]
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if r := h.verified(verify.Sample{}); r.Differs() {
			t.Error(told(r))
		}
	})
	t.Run("in the folder of another partition, as the state says", func(t *testing.T) {
		h := verifiedWorld(t)
		files := h.parquetFiles("checkout") // of two days
		a, b := readParquet(t, files[0]), readParquet(t, files[1])
		writeParquet(t, files[0], b)
		writeParquet(t, files[1], a)
		h.believe(files[0])
		h.believe(files[1])
		text := told(h.verified(verify.Sample{}))
		if n := h.differing(3); n != 4 || !strings.Contains(text, "the folder of its partition date=2026-01-05 is date=2026-01-06") {
			t.Errorf("%d rows differ:\n%s", n, text)
		}
	})
}

// Dumps that are gone are named, and what may be of them is not checked; what cannot be of
// them is.
func TestVerifyWithoutDumps(t *testing.T) {
	remove := func(h *harness, keys ...string) {
		t.Helper()
		for _, k := range keys {
			if err := os.Remove(filepath.Join(h.dir, "dumps", k)); err != nil {
				t.Fatal(err)
			}
		}
	}
	h := verifiedWorld(t)
	first := h.arrived[0]
	remove(h, first.ManifestKey())
	r := h.verified(verify.Sample{})
	text := told(r)
	for _, want := range []string{"checkout: 2 rows, 2 dumps, gone [{1  the source has no such dump}], mapping \"the source has no such dump\"",
		"4 rows, 0 differ, 2 unchecked", "users: 0 rows, 1 dumps, gone [{1  the source has no such dump}]", "2 rows, 0 differ, 2 unchecked"} {
		if !strings.Contains(text, want) {
			t.Errorf("verify does not say %q:\n%s", want, text)
		}
	}
	if r.Differs() || r.Unverified() {
		t.Error(text)
	}
	h.alter("checkout", true, func(b *column.Batch) *column.Batch {
		i := where(b, "event_id", 4)
		if i < 0 {
			return nil
		}
		b.Col("revenue").Floats[i] = 9
		return b
	})
	if text := told(h.verified(verify.Sample{})); !strings.Contains(text, "different 4 user 5 raw 5 dump 2, revenue 8 is 9") {
		t.Errorf("a row of the dump that is there:\n%s", text)
	}

	h = verifiedWorld(t)
	file := h.arrived[1].Entries[0].Files[0].Key
	remove(h, file)
	text = told(h.verified(verify.Sample{}))
	for _, want := range []string{"checkout: 4 rows, 2 dumps, gone [{2 " + file, "4 rows, 0 differ, 2 unchecked"} {
		if want = strings.Replace(want, "4 rows, 2 dumps", "3 rows, 2 dumps", 1); !strings.Contains(text, want) {
			t.Errorf("verify does not say %q:\n%s", want, text)
		}
	}
}
