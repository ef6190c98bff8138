package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/engine/enginetest"
	"reconcile/engine/model"
	"reconcile/engine/verify"
	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/internal/parquet"
	"reconcile/sinks"
	"reconcile/state"
)

var flagVerified = flag.Int("verified", 12, "random worlds that are verified after each apply")

// verified returns what verify says of a sample.
func (h *harness) verified(s verify.Sample) *verify.Report {
	h.t.Helper()
	r, err := NewVerifier(h.engine()).Verify(h.t.Context(), verify.Options{Sample: s})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// differing counts the rows that verify finds to differ in all parts of the users, which
// are as many as it finds in all users.
func (h *harness) differing(parts int) int64 {
	h.t.Helper()
	n, rows := int64(0), int64(0)
	count := func(r *verify.Report) (differences, rows int64) {
		for _, t := range r.Tables {
			rows += t.Rows
			for _, s := range t.Sinks {
				differences += s.Differences
			}
		}
		return differences, rows
	}
	for part := range parts {
		d, r := count(h.verified(verify.Sample{Part: part + 1, Of: parts}))
		n, rows = n+d, rows+r
	}
	all, allRows := count(h.verified(verify.Sample{}))
	if n != all || rows != allRows {
		h.t.Fatalf("%d parts have %d rows, of which %d differ; all users have %d, of which %d differ", parts, rows, n, allRows, all)
	}
	return all
}

// told is a report as text.
func told(r *verify.Report) string {
	var b strings.Builder
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "%s: %d rows, %d dumps, gone %v, mapping %q, not verified %q, without %v\n", t.Name, t.Rows, t.Dumps, t.Gone, t.MappingGone, t.Unverified, t.Uncompared)
		for _, s := range t.Sinks {
			fmt.Fprintf(&b, "  %d rows, %d differ, %d unchecked\n", s.Rows, s.Differences, s.Unchecked)
			for _, f := range s.Faults {
				fmt.Fprintf(&b, "    %s: %s\n", f.Path, f.What)
			}
			for _, d := range s.Keys {
				fmt.Fprintf(&b, "    %s %s user %d raw %s dump %s", d.Kind, number(d.Key), d.User, number(d.RawUser), number(d.Dump))
				for _, v := range d.Columns {
					fmt.Fprintf(&b, ", %s %s is %s", v.Column, word(v.Want), word(v.Found))
				}
				b.WriteString("\n")
			}
		}
	}
	return b.String()
}

func number(p *int64) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(*p)
}

func word(p *string) string {
	if p == nil {
		return "null"
	}
	return *p
}

// After every apply of random worlds nothing differs, whatever was late, held, resynced,
// masked, or changed in the configuration; and parts of the users are together all.
func TestVerifiedWorlds(t *testing.T) {
	for i := range *flagVerified {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			randomWorld(t, seed, inFolders, func(h *harness, r *rand.Rand) {
				h.t.Helper()
				if h.unchecked && seed%5 >= 3 {
					return // files grow behind dumps that are held, and the lake has not all of them
				}
				if shown, err := h.engine().Inspect().Show(h.t.Context()); err != nil || len(shown.Tables) == 0 {
					return // nothing is applied up to until_dump, which proves nothing
				}
				if report := h.verified(verify.Sample{}); report.Differs() || report.Unverified() {
					h.t.Fatalf("verify says:\n%s", told(report))
				}
				if r.Intn(4) == 0 {
					h.differing(1 + r.Intn(4))
				}
			})
		})
	}
}

const verifiedTables = `
mask "pii" {
  columns = ["email"]
  method  = "hmac-sha256"
  key     = "0123456789abcdef0123456789abcdef"
}
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
  column "revenue" { type = "double" }
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`

// verifiedWorld is a lake of two dumps: users 1 and 2 are one, an event of both is in the
// shadow, another was delivered twice.
func verifiedWorld(t *testing.T) *harness {
	h := newHarness(t, verifiedTables)
	h.arrive(
		enginetest.DumpOf(1,
			enginetest.Full("checkout", enginetest.Part("user_id event_id time revenue email",
				enginetest.Row(1, 1, "2026-01-05T10:00:00Z", "1.5", "anna@example.com"),
				enginetest.Row(2, 1, "2026-01-05T10:00:00Z", "2.5", "bert@example.com"),
				enginetest.Row(3, 2, "2026-01-06T10:00:00Z", "n/a", "carl@example.com"),
				enginetest.Row(4, 3, "2026-01-06T10:00:00Z", nil, nil))),
			enginetest.Full("users", enginetest.Part("user_id last_modified plan",
				enginetest.Row(1, "2026-01-05T10:00:00Z", "free"),
				enginetest.Row(2, "2026-01-04T10:00:00Z", "paid"),
				enginetest.Row(3, "2026-01-04T10:00:00Z", nil))),
			enginetest.More("user_migrations", enginetest.Part("from_user_id to_user_id", enginetest.Row(2, 1)))),
		enginetest.DumpOf(2,
			enginetest.More("checkout", enginetest.Part("user_id event_id time revenue email",
				enginetest.Row(4, 3, "2026-01-06T10:00:00Z", "7", "dora@example.com"),
				enginetest.Row(5, 4, "2026-01-06T11:00:00Z", "8", "emil@example.com")))))
	h.must()
	return h
}

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

// rows is a batch of some rows of another one, which may repeat.
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

// A table is verified by what is applied to it, and at the mapping where it stands.
func TestVerifyWhatIsApplied(t *testing.T) {
	same := func(h *harness, what string) {
		t.Helper()
		if r := h.verified(verify.Sample{}); r.Differs() || r.Unverified() {
			t.Errorf("%s:\n%s", what, told(r))
		}
	}
	h := verifiedWorld(t)
	bad := enginetest.Part("user_id event_id time revenue email", enginetest.Row(5, 4, "2026-01-06T11:00:00Z", "9", "x"))
	bad.Fault = model.Truncated
	h.arrive(enginetest.DumpOf(3, enginetest.More("checkout", bad),
		enginetest.More("user_migrations", enginetest.Part("from_user_id to_user_id", enginetest.Row(5, 4)))))
	same(h, "with a pending dump")
	if _, err := h.apply(); err != nil {
		t.Fatal(err)
	}
	same(h, "held")
	h.arrive(enginetest.DumpOf(4, enginetest.More("users", enginetest.Part("user_id last_modified plan", enginetest.Row(5, "2026-01-07", "free"))),
		enginetest.More("user_migrations", enginetest.Part("from_user_id to_user_id", enginetest.Row(3, 5)))))
	h.opts.Targets = []string{"table.users"}
	if _, err := h.apply(); err != nil {
		t.Fatal(err)
	}
	r := h.verified(verify.Sample{})
	if r.Differs() || *r.Tables[0].Mapping != 3 || *r.Tables[2].Mapping != 4 {
		t.Errorf("tables at two mappings:\n%s", told(r))
	}
	h.opts.Targets = nil
	h.hcl = strings.Replace(h.hcl, `"double"`, `"string"`, 1)
	h.hcl = strings.Replace(h.hcl, `"email"`, `"emails"`, 1)
	h.hcl = strings.Replace(h.hcl, `partition_by = [date(time)]`, "", 1)
	r = h.verified(verify.Sample{})
	if r.Differs() || len(r.Tables[0].Uncompared) > 0 {
		t.Errorf("with another configuration:\n%s", told(r))
	}
	h.hcl = strings.Replace(h.hcl, "0123456789abcdef", "fedcba9876543210", 1)
	if r = h.verified(verify.Sample{}); r.Differs() || len(r.Tables[0].Uncompared) != 1 {
		t.Errorf("with another key:\n%s", told(r))
	}
}

// What cannot be verified is no proof: a state without tables, or a table by older rules.
func TestVerifyCannot(t *testing.T) {
	h := newHarness(t, verifiedTables)
	if r, err := NewVerifier(h.engine()).Verify(t.Context(), verify.Options{}); err == nil || !strings.Contains(err.Error(), "has no table: nothing was applied") {
		t.Errorf("without a state: %v, %v", r, err)
	}
	h = verifiedWorld(t)
	e := h.engine()
	l, err := e.Lock(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := e.store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := *snap.Tables["checkout"]
	old.Rules = 0
	err = l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutTable(&old) })
	if err := errors.Join(err, snap.Close(), l.Unlock()); err != nil {
		t.Fatal(err)
	}
	if r := h.verified(verify.Sample{}); !r.Unverified() || r.Differs() || !strings.Contains(told(r), "by its own rules") {
		t.Errorf("a table by older rules:\n%s", told(r))
	}
}

// An apply that commits while a table is read is no difference.
func TestVerifyBesideApply(t *testing.T) {
	h := verifiedWorld(t)
	h.arrive(enginetest.DumpOf(3, enginetest.More("checkout", enginetest.Part("user_id event_id time revenue email",
		enginetest.Row(5, 4, "2026-01-06T11:00:00Z", "9", "x"), enginetest.Row(6, 7, "2026-01-06T11:00:00Z", "9", "x")))))
	v := NewVerifier(h.engine())
	load, loads := v.Load, 0
	v.Load = func(ctx context.Context) (*state.Snapshot, error) {
		snap, err := load(ctx)
		if loads++; err == nil && loads == 2 { // of the first table, which is read after this
			_, err = h.apply()
		}
		return snap, err
	}
	r, err := v.Verify(t.Context(), verify.Options{Tables: []string{"checkout"}})
	if err != nil || r.Differs() || r.Unverified() || r.Tables[0].Rows != 5 {
		t.Errorf("%v\n%s", err, told(r))
	}

	h.arrive(enginetest.DumpOf(4, enginetest.More("checkout", enginetest.Part("user_id event_id time revenue email",
		enginetest.Row(5, 4, "2026-01-06T11:00:00Z", "10", "x")))))
	h.interruptAt("publish.move.before=error")
	v = NewVerifier(h.engine())
	v.Pause = time.Microsecond
	r, err = v.Verify(t.Context(), verify.Options{Tables: []string{"checkout"}})
	if err != nil || !r.Unverified() || !strings.Contains(told(r), "not wholly visible yet") {
		t.Errorf("%v\n%s", err, told(r))
	}
}
