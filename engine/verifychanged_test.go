package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/verify"
	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/internal/parquet"
	"reconcile/sinks"
	"reconcile/state"
)

// alter changes the data file of a table that has a row, by its first column; with adjust
// the state is made to believe that it wrote that.
func (h *harness) alter(table string, adjust bool, change func(b *column.Batch) *column.Batch) {
	h.t.Helper()
	var path string
	paths, err := filepath.Glob(filepath.Join(h.dir, "lake", table, "*", "*.parquet"))
	more, err2 := filepath.Glob(filepath.Join(h.dir, "lake", table, "*.parquet"))
	if err := errors.Join(err, err2); err != nil {
		h.t.Fatal(err)
	}
	for _, p := range append(paths, more...) {
		b := readParquet(h.t, p)
		if out := change(b); out != nil {
			writeParquet(h.t, p, out)
			path = p
		}
	}
	if path == "" {
		h.t.Fatal("there is no such row")
	}
	if adjust {
		h.believe(path)
	}
}

func readParquet(t *testing.T, path string) *column.Batch {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(strings.NewReader(string(data)), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if f.RowGroups() != 1 {
		t.Fatalf("%s has %d row groups", path, f.RowGroups())
	}
	b := &column.Batch{}
	if err := f.ReadRowGroup(0, nil, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeParquet(t *testing.T, path string, b *column.Batch) {
	t.Helper()
	var out strings.Builder
	w, err := parquet.NewWriter(&out, b.Cols, parquet.Options{Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteRowGroup(b); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// believe makes the state believe that it wrote a data file as it is.
func (h *harness) believe(path string) {
	h.t.Helper()
	e := h.engine()
	ctx := h.t.Context()
	l, err := e.Lock(ctx, "test")
	if err != nil {
		h.t.Fatal(err)
	}
	snap, err := e.store.Load(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	root := filepath.Join(h.dir, "lake")
	rel, err := filepath.Rel(root, path)
	if err != nil {
		h.t.Fatal(err)
	}
	store, err := blob.NewLocal(root)
	if err != nil {
		h.t.Fatal(err)
	}
	o, err := store.Stat(ctx, rel)
	if err != nil {
		h.t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	sum := sinks.NewDigest()
	sum.Write(data)
	err = l.Update(ctx, func(tx *state.Tx) error {
		for name, parts := range snap.Partitions {
			for _, p := range parts {
				for i := range p.Files {
					if p.Files[i].Path == rel {
						p.Files[i].Digest, p.Files[i].Pin, p.Files[i].Size = sinks.DigestText(sum), o.Pin, o.Size
						return tx.PutPartition(name, p)
					}
				}
			}
		}
		return fmt.Errorf("the state has no file %s", rel)
	})
	if err := errors.Join(err, snap.Close(), l.Unlock()); err != nil {
		h.t.Fatal(err)
	}
}

// rowsOfBatch is a batch of some rows of another one, which may repeat.
func rowsOfBatch(b *column.Batch, rows ...int) *column.Batch {
	out := &column.Batch{N: len(rows), Cols: make([]column.Column, len(b.Cols))}
	var g column.Gatherer
	pick := make([]column.SourceRow, len(rows))
	for i, r := range rows {
		pick[i].Row = uint32(r)
	}
	for c := range b.Cols {
		out.Cols[c] = column.Column{Name: b.Cols[c].Name, Type: b.Cols[c].Type}
		out.Cols[c].Reset()
		g.Column(&out.Cols[c], []*column.Column{&b.Cols[c]}, pick)
	}
	return out
}

// where returns the row in which a column has a number, -1 if none has.
func where(b *column.Batch, name string, n int64) int { return slices.Index(b.Col(name).Ints, n) }

// setText gives a row another text.
func setText(b *column.Batch, name string, row int, text string) {
	c := b.Col(name)
	c.Codes[row] = c.Dict.Add([]byte(text))
}

// What somebody or something changed in the lake is found, whether or not the state takes
// the files for its own.
func TestVerifyFinds(t *testing.T) {
	// row makes a change of the row in which a column has a number.
	row := func(name string, n int64, change func(b *column.Batch, row int)) func(*column.Batch) *column.Batch {
		return func(b *column.Batch) *column.Batch {
			i := where(b, name, n)
			if i < 0 {
				return nil
			}
			change(b, i)
			return b
		}
	}
	for _, c := range []struct {
		name, table string
		change      func(*column.Batch) *column.Batch
		differ      int64
		want        []string
	}{
		{"a value", "checkout", row("event_id", 4, func(b *column.Batch, i int) { b.Col("revenue").Floats[i] = 9 }), 1,
			[]string{"different 4 user 5 raw 5 dump 2, revenue 8 is 9\n"}},
		{"a null", "checkout", row("event_id", 4, func(b *column.Batch, i int) { b.Col("revenue").SetNull(i) }), 1,
			[]string{"different 4 user 5 raw 5 dump 2, revenue 8 is null\n"}},
		{"a masked value", "checkout", row("event_id", 4, func(b *column.Batch, i int) { setText(b, "email", i, "emil@example.org") }), 1,
			[]string{"different 4 user 5 raw 5 dump 2, email ", " is emil@example.org\n"}},
		{"a rescued value", "checkout", row("event_id", 2, func(b *column.Batch, i int) { b.Col("_rescued_data").Codes[i] = 0 }), 1,
			[]string{`different 2 user 3 raw 3 dump 1, _rescued_data {"revenue":"n/a"} is null`}},
		{"a time", "checkout", row("event_id", 4, func(b *column.Batch, i int) { b.Col("time").Ints[i]++ }), 1,
			[]string{"time 2026-01-06T11:00:00Z is 2026-01-06T11:00:00.001Z"}},
		{"a user", "checkout", row("event_id", 1, func(b *column.Batch, i int) { b.Col("user_id").Ints[i] = 2 }), 1,
			[]string{"different 1 user 1 raw 2 dump 1, user_id 1 is 2\n"}},
		{"a raw user", "checkout", row("event_id", 4, func(b *column.Batch, i int) { b.Col("_raw_user_id").Ints[i] = 6 }), 2,
			[]string{"missing 4 user 5 raw 5 dump 2", "extra 4 user 6 raw 6 dump 2"}},
		{"the row that another one hides", "checkout", row("event_id", 1, func(b *column.Batch, i int) {
			b.Col("_raw_user_id").Ints[i], b.Col("revenue").Floats[i] = 1, 1.5
		}), 1, []string{"different 1 user 1 raw 2 dump 1, _raw_user_id 2 is 1, revenue 2.5 is 1.5\n"}},
		{"a key", "checkout", row("event_id", 4, func(b *column.Batch, i int) { b.Col("event_id").Ints[i] = 5 }), 2,
			[]string{"missing 4 user 5", "extra 5 user 5"}},
		{"a key that is null", "checkout", row("event_id", 4, func(b *column.Batch, i int) { b.Col("event_id").SetNull(i) }), 2,
			[]string{"missing 4 user 5", "a column that tells the row is null"}},
		{"a dump", "checkout", row("event_id", 4, func(b *column.Batch, i int) { b.Col("_dump_id").Ints[i] = 1 }), 1,
			[]string{"different 4 user 5 raw 5 dump 2, _dump_id 2 is 1\n"}},
		{"a stale row", "checkout", row("event_id", 3, func(b *column.Batch, i int) {
			b.Col("_dump_id").Ints[i] = 1
			b.Col("revenue").SetNull(i)
			b.Col("email").Codes[i] = 0
		}), 1, []string{"different 3 user 4 raw 4 dump 2, _dump_id 2 is 1, revenue 7 is null, email "}},
		{"a lost row", "checkout", func(b *column.Batch) *column.Batch {
			if i := where(b, "event_id", 4); i >= 0 {
				return rowsOfBatch(b, slices.DeleteFunc([]int{0, 1, 2}, func(x int) bool { return x == i })...)
			}
			return nil
		}, 1, []string{"missing 4 user 5 raw 5 dump 2\n"}},
		{"a doubled row", "checkout", func(b *column.Batch) *column.Batch {
			if i := where(b, "event_id", 4); i >= 0 {
				return rowsOfBatch(b, 0, 1, 2, i)
			}
			return nil
		}, 1, []string{"doubled 4 user 5 raw 5 dump 2\n"}},
		{"a strange column", "checkout", func(b *column.Batch) *column.Batch {
			if i := where(b, "event_id", 4); i >= 0 {
				b.Cols = append(b.Cols, b.Cols[0])
				b.Cols[len(b.Cols)-1].Name = "left"
				return b
			}
			return nil
		}, 0, []string{"it has columns that the table has not: left"}},
		{"a value of a user", "users", row("user_id", 1, func(b *column.Batch, i int) { setText(b, "plan", i, "paid") }), 1,
			[]string{"different - user 1 raw - dump 1, plan free is paid\n"}},
		{"a user that is another one", "users", row("user_id", 1, func(b *column.Batch, i int) { b.Col("user_id").Ints[i] = 2 }), 2,
			[]string{"missing - user 1", "extra - user 2"}},
		{"a user with another time", "users", row("user_id", 1, func(b *column.Batch, i int) { b.Col("last_modified").Ints[i] = 0 }), 1,
			[]string{"last_modified 2026-01-05T10:00:00Z is 1970-01-01T00:00:00Z"}},
		{"a user without a row", "users", func(b *column.Batch) *column.Batch { return rowsOfBatch(b, where(b, "user_id", 1)) }, 1,
			[]string{"missing - user 3"}},
		{"a user with two", "users", func(b *column.Batch) *column.Batch { return rowsOfBatch(b, 0, 1, 1) }, 1, []string{"doubled - user 3"}},
		{"a dump of a user", "users", row("user_id", 1, func(b *column.Batch, i int) { b.Col("_dump_id").Ints[i] = 2 }), 1, []string{"_dump_id 1 is 2"}},
		{"a mapping", "user_migrations", row("from_user_id", 2, func(b *column.Batch, i int) { b.Col("canonical_user_id").Ints[i] = 3 }), 1,
			[]string{"different - user 2 raw - dump -, canonical_user_id 1 is 3"}},
		{"a mapping that is gone", "user_migrations", row("from_user_id", 2, func(b *column.Batch, i int) { b.Col("from_user_id").Ints[i] = 3 }), 2,
			[]string{"missing - user 2", "extra - user 3"}},
	} {
		for _, adjust := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, believed %v", c.name, adjust), func(t *testing.T) {
				h := verifiedWorld(t)
				h.alter(c.table, adjust, c.change)
				report := h.verified(verify.Sample{})
				text := told(report)
				for _, want := range c.want {
					if !strings.Contains(text, want) {
						t.Errorf("verify does not say %q:\n%s", want, text)
					}
				}
				if fault := strings.Contains(text, "it is not the file that was written"); fault == adjust || !report.Differs() {
					t.Errorf("the file is found to be changed: %v\n%s", fault, text)
				}
				if n := h.differing(5); n != c.differ {
					t.Errorf("%d rows differ, not %d:\n%s", n, c.differ, text)
				}
				for _, secret := range []string{"emil@example.com", "dora@example.com"} {
					if strings.Contains(text, secret) {
						t.Errorf("verify tells %s:\n%s", secret, text)
					}
				}
			})
		}
	}
}
