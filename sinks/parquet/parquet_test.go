package parquet_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pqgo "github.com/parquet-go/parquet-go"

	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/failpoint"
	pq "reconcile/internal/parquet"
	"reconcile/sinks"
	"reconcile/sinks/parquet"
	"reconcile/sinks/sinktest"
)

var ctx = context.Background()

func open(t testing.TB, o parquet.Options) (sinks.Sink, blob.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return parquet.New(store, o), store, dir
}

func TestConformance(t *testing.T) {
	for _, compression := range []string{"zstd", "none"} {
		t.Run(compression, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Place {
				s, store, _ := open(t, parquet.Options{RowGroup: 64})
				return sinktest.Place{Sink: s, Store: store, Compression: compression}
			})
		})
	}
}

func cols() []column.Column {
	return []column.Column{{Name: "id", Type: column.Type{ID: column.Int64}}, {Name: "s", Type: column.Type{ID: column.String}}}
}

func batch(from, n int) *column.Batch {
	b := &column.Batch{N: n, Cols: cols()}
	for k := range b.Cols {
		b.Cols[k].Reset()
	}
	for i := from; i < from+n; i++ {
		b.Cols[0].AppendInt(int64(i))
		b.Cols[1].AppendBytes([]byte(fmt.Sprintf("value number %d", i)))
	}
	return b
}

func stage(t testing.TB, s sinks.Sink, name string, batches ...int) sinks.File {
	t.Helper()
	return stageWithin(t, s, name, 0, batches...)
}

// stageWithin stages a file of which so many bytes of rows may wait for a row group.
func stageWithin(t testing.TB, s sinks.Sink, name string, rowGroupBytes int, batches ...int) sinks.File {
	t.Helper()
	w, err := s.Stage(ctx, "a", name, sinks.FileSpec{Columns: cols(), Metadata: map[string]string{"commit": "7"}, RowGroupBytes: rowGroupBytes})
	if err != nil {
		t.Fatal(err)
	}
	from := 0
	for _, n := range batches {
		if err := w.Write(ctx, batch(from, n)); err != nil {
			t.Fatal(err)
		}
		from += n
	}
	f, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestRowGroups says how batches of any size become row groups, in their order.
func TestRowGroups(t *testing.T) {
	for _, c := range []struct {
		o       parquet.Options
		bytes   int
		batches []int
		want    []int
	}{
		{parquet.Options{RowGroup: 100}, 0, []int{250}, []int{100, 100, 50}},
		{parquet.Options{RowGroup: 100}, 0, []int{230}, []int{100, 130}},
		{parquet.Options{RowGroup: 100}, 0, []int{10, 10, 90}, []int{100, 10}},
		{parquet.Options{RowGroup: 100}, 0, []int{60, 60, 1}, []int{60, 60, 1}},
		{parquet.Options{RowGroup: 100}, 0, []int{1, 250, 0, 3}, []int{100, 100, 51, 3}},
		{parquet.Options{RowGroup: 100}, 1, []int{3, 4}, []int{3, 4}},
		{parquet.Options{RowGroup: 100}, 1 << 10, []int{4, 12, 3}, []int{19}},
		{parquet.Options{RowGroup: 100}, 1 << 10, []int{12, 3, 12}, []int{12, 15}},
		{parquet.Options{RowGroup: 100}, 1 << 10, []int{3, 20, 5}, []int{22, 6}},
		{parquet.Options{RowGroup: 100}, 1 << 10, []int{10, 10, 10, 10, 10, 10}, []int{22, 22, 16}},
		{parquet.Options{}, 0, []int{1, 2, 3}, []int{6}},
		{parquet.Options{}, 0, nil, nil},
	} {
		s, store, _ := open(t, c.o)
		f := stageWithin(t, s, "f", c.bytes, c.batches...)
		h, err := store.Open(ctx, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		pf, err := pq.Open(h, f.Size)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		next := int64(0)
		for g := range pf.RowGroups() {
			got = append(got, pf.GroupRows(g))
			var b column.Batch
			if err := pf.ReadRowGroup(g, nil, &b); err != nil {
				t.Fatal(err)
			}
			for i := range b.N {
				if b.Cols[0].Ints[i] != next || string(b.Cols[1].Bytes(i)) != fmt.Sprintf("value number %d", next) {
					t.Fatalf("%v: row %d holds %d, %s", c.batches, next, b.Cols[0].Ints[i], b.Cols[1].Bytes(i))
				}
				next++
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || pf.Rows() != f.Rows {
			t.Errorf("batches of %v became groups of %v, want %v", c.batches, got, c.want)
		}
		if want := groupOffsets(t, h, f.Size); fmt.Sprint(f.Groups) != fmt.Sprint(want) {
			t.Errorf("batches of %v: the row groups begin at %v, the file says %v", c.batches, want, f.Groups)
		}
		h.Close()
	}
}

// groupOffsets returns where the first page of each row group of a file is.
func groupOffsets(t *testing.T, r io.ReaderAt, size int64) []int64 {
	t.Helper()
	f, err := pqgo.OpenFile(r, size)
	if err != nil {
		t.Fatal(err)
	}
	var out []int64
	for _, g := range f.Metadata().RowGroups {
		m := g.Columns[0].MetaData
		at := m.DataPageOffset
		if m.DictionaryPageOffset > 0 {
			at = min(at, m.DictionaryPageOffset)
		}
		out = append(out, at)
	}
	return out
}

func TestFooter(t *testing.T) {
	s, store, _ := open(t, parquet.Options{CreatedBy: "reconcile test"})
	f := stage(t, s, "f", 3)
	h, err := store.Open(ctx, f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	pf, err := pq.Open(h, f.Size)
	if err != nil || pf.Metadata()["commit"] != "7" || pf.CreatedBy() != "reconcile test" {
		t.Errorf("%v: %v, %q", err, pf.Metadata(), pf.CreatedBy())
	}
}

// TestForms says that a file is written in the form that it is staged in.
func TestForms(t *testing.T) {
	s, _, _ := open(t, parquet.Options{})
	sizes := map[string]int64{}
	forms := map[string]sinks.Form{}
	for _, c := range []string{"zstd", "snappy", "none", ""} {
		for _, e := range []string{definition.Plain, definition.Compact, ""} {
			form := sinks.Form{Folder: "t", Compression: c, Encodings: e}
			w, err := s.Stage(ctx, "a", "f", sinks.FileSpec{Columns: cols(), Form: form})
			if err == nil {
				err = w.Write(ctx, batch(0, 5000))
			}
			if err != nil {
				t.Fatal(err)
			}
			f, err := w.Close()
			if err != nil {
				t.Fatal(err)
			}
			form.Compression, form.Encodings = cmp.Or(c, "zstd"), cmp.Or(e, definition.Compact)
			if was, ok := forms[f.Digest]; ok && was != form {
				t.Errorf("files of the forms %+v and %+v are the same", was, form)
			}
			forms[f.Digest], sizes[form.Encodings+" "+form.Compression] = form, f.Size
		}
	}
	if len(forms) != 6 || sizes["plain none"] <= sizes["plain zstd"] || sizes["plain none"] <= sizes["compact none"] {
		t.Errorf("%d forms of sizes %v", len(forms), sizes)
	}
}

func exists(t *testing.T, name string) bool {
	t.Helper()
	_, err := os.Stat(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// TestNoEmptyFolders says that a removal and RemoveStaged leave none, even when the
// process died between the removal and the folder's.
func TestNoEmptyFolders(t *testing.T) {
	s, _, dir := open(t, parquet.Options{})
	var steps []sinks.Step
	for i, key := range []string{"t/year=2026/month=01/day=01/f.parquet", "t/year=2026/month=02/day=01/f.parquet"} {
		f := stage(t, s, fmt.Sprint(i), i+1)
		if _, err := s.Publish(ctx, sinks.Step{Staged: f.Path, Path: key, After: f.Digest, Size: f.Size}); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, sinks.Step{Path: key, Before: f.Digest})
	}
	stage(t, s, "left", 1)
	if err := s.RemoveStaged(ctx, sinks.StagedRemoval{}); err != nil {
		t.Fatal(err)
	}
	if exists(t, filepath.Join(dir, "_reconcile")) {
		t.Error("RemoveStaged left an empty folder")
	}
	set, err := failpoint.Parse("publish.remove.after=error@1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Publish(failpoint.With(ctx, set), steps[0]); !errors.Is(err, failpoint.ErrInjected) {
		t.Fatal(err)
	}
	if !exists(t, filepath.Join(dir, "t/year=2026/month=01/day=01")) {
		t.Fatal("the failpoint is behind the folder's removal")
	}
	for i, gone := range []string{"t/year=2026/month=01", "t"} {
		if _, err := s.Publish(ctx, steps[i]); err != nil {
			t.Fatal(err)
		}
		if exists(t, filepath.Join(dir, gone)) {
			t.Errorf("%s is left, and empty", gone)
		}
	}
	if !exists(t, dir) {
		t.Error("the sink itself went")
	}
}

// TestFailpoints interrupts a replacement, a removal and RemoveStaged at each of
// their points, and repeats them.
func TestFailpoints(t *testing.T) {
	for _, c := range []struct {
		point failpoint.Name
		done  bool // the step itself was carried out
	}{
		{failpoint.PublishMoveBefore, false}, {failpoint.PublishMoveAfter, true},
		{failpoint.PublishRemoveBefore, false}, {failpoint.PublishRemoveAfter, true},
		{failpoint.SweepBefore, false}, {failpoint.SweepAfter, true},
	} {
		s, _, dir := open(t, parquet.Options{})
		old, fresh, gone := stage(t, s, "old", 3), stage(t, s, "new", 4), stage(t, s, "gone", 5)
		for key, f := range map[string]sinks.File{"t/f.parquet": old, "t/g.parquet": gone} {
			if _, err := s.Publish(ctx, sinks.Step{Staged: f.Path, Path: key, After: f.Digest, Size: f.Size}); err != nil {
				t.Fatal(err)
			}
		}
		stage(t, s, "left", 1)
		run := func(ctx context.Context) error {
			_, err := s.Publish(ctx, sinks.Step{Staged: fresh.Path, Path: "t/f.parquet", Before: old.Digest, After: fresh.Digest, Size: fresh.Size})
			if err == nil {
				_, err = s.Publish(ctx, sinks.Step{Path: "t/g.parquet", Before: gone.Digest})
			}
			if err == nil {
				err = s.RemoveStaged(ctx, sinks.StagedRemoval{})
			}
			return err
		}
		set, err := failpoint.Parse(string(c.point) + "=error")
		if err != nil {
			t.Fatal(err)
		}
		if err := run(failpoint.With(ctx, set)); !errors.Is(err, failpoint.ErrInjected) || set.Hits(c.point) != 1 {
			t.Fatalf("%s: %v, %d hits", c.point, err, set.Hits(c.point))
		}
		var done bool
		switch {
		case strings.Contains(string(c.point), ".move."):
			done = !exists(t, filepath.Join(dir, fresh.Path))
		case strings.Contains(string(c.point), ".remove."):
			done = !exists(t, filepath.Join(dir, "t/g.parquet"))
		default:
			done = !exists(t, filepath.Join(dir, "_reconcile/staging"))
		}
		if done != c.done {
			t.Errorf("%s: done is %v, want %v", c.point, done, c.done)
		}
		if err := run(ctx); err != nil {
			t.Errorf("repeated after %s: %v", c.point, err)
		}
		list, err := s.List(ctx, "")
		if err != nil || len(list) != 1 || list[0].Size != fresh.Size || exists(t, filepath.Join(dir, "_reconcile")) {
			t.Errorf("after %s and a repeat: %v, %v", c.point, list, err)
		}
	}
}

// TestPinSparesReading says that a matching pin is enough, and only that.
func TestPinSparesReading(t *testing.T) {
	s, store, _ := open(t, parquet.Options{})
	o, err := blob.Put(ctx, store, "t/f.parquet", []byte("content"), blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	step := sinks.Step{Path: "t/f.parquet", Before: strings.Repeat("0", 64)}
	if _, err := s.Publish(ctx, step); !errors.Is(err, sinks.ErrDrift) {
		t.Fatalf("without a pin: %v", err)
	}
	step.BeforePin = o.Pin
	if _, err := s.Publish(ctx, step); err != nil {
		t.Errorf("with its pin: %v", err)
	}
}

// TestOldDigests publishes over a file, and removes one, of which a digest of earlier
// versions is known.
func TestOldDigests(t *testing.T) {
	s, store, _ := open(t, parquet.Options{})
	old := func(key string) string {
		data, _, err := blob.ReadAll(ctx, store, key, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		return hex.EncodeToString(sum[:])
	}
	move := func(name, before string) sinks.Step {
		w, err := s.Stage(ctx, "a", name, sinks.FileSpec{Columns: cols()})
		if err == nil {
			err = w.Write(ctx, batch(0, len(name)))
		}
		if err != nil {
			t.Fatal(err)
		}
		f, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		return sinks.Step{Staged: f.Path, Path: "t/f.parquet", Before: before, After: f.Digest, Size: f.Size}
	}
	steps := []func() sinks.Step{
		func() sinks.Step { return move("1", "") },
		func() sinks.Step { return move("22", old("t/f.parquet")) },
		func() sinks.Step { // as a list of an earlier version has it
			st := move("333", old("t/f.parquet"))
			st.After = old(st.Staged)
			return st
		},
		func() sinks.Step { return sinks.Step{Path: "t/f.parquet", Before: old("t/f.parquet")} },
	}
	for i, step := range steps {
		st := step()
		for again := range 2 {
			if _, err := s.Publish(ctx, st); err != nil {
				t.Fatalf("step %d, %d times done: %v", i, again, err)
			}
		}
		if st.Staged == "" {
			continue
		}
		for _, like := range []string{old(st.Path), st.After} {
			got, err := s.(interface {
				Digest(ctx context.Context, key, like string) (string, error)
			}).Digest(ctx, st.Path, like)
			if err != nil || got != like {
				t.Errorf("step %d: digest %s, want %s; %v", i, got, like, err)
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s, _, _ := open(b, parquet.Options{})
	small := batch(0, 8192)
	b.ReportAllocs()
	w, err := s.Stage(ctx, "a", "f", sinks.FileSpec{Columns: cols()})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := w.Write(ctx, small); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*8192/b.Elapsed().Seconds()/1e6, "Mrows/s")
	w.Abort()
}

// TestCopy takes row groups over from a file, between rows of its own and with a
// column replaced, and writes one column by column.
func TestCopy(t *testing.T) {
	s, _, _ := open(t, parquet.Options{RowGroup: 100})
	f := stage(t, s, "old", 100, 100, 30)
	rd, err := s.Open(ctx, f.Path, "", cols())
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	old := rd.(sinks.GroupReader)
	if got := fmt.Sprint(old.Groups()); got != "[100 100 30]" {
		t.Fatalf("groups %s", got)
	}
	w, err := s.Stage(ctx, "a", "new", sinks.FileSpec{Columns: cols()})
	if err != nil {
		t.Fatal(err)
	}
	b := &column.Batch{}
	err = old.Group(ctx, 2, cols()[:1], b)
	if err != nil || b.N != 30 || b.Cols[0].Ints[0] != 200 {
		t.Fatalf("%v: %+v", err, b)
	}
	for i := range b.Cols[0].Ints {
		b.Cols[0].Ints[i] *= -1
	}
	cp := w.(sinks.Copier)
	for _, step := range []error{
		w.Write(ctx, batch(1000, 7)), cp.Copy(ctx, old, 1, nil),
		cp.Copy(ctx, old, 2, map[string]*column.Column{"id": &b.Cols[0]}), w.Write(ctx, batch(2000, 2)),
		cp.WriteColumns(ctx, 5, func(i int) (*column.Column, error) { return &batch(3000, 5).Cols[i], nil }),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	f, err = w.Close()
	if err != nil || f.Rows != 144 {
		t.Fatalf("%v: %+v", err, f)
	}
	rd, err = s.Open(ctx, f.Path, "", cols())
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	var got []string
	for b, err := rd.Next(ctx); b != nil || err != nil; b, err = rd.Next(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %d %s", b.N, b.Cols[0].Ints[0], b.Cols[1].Bytes(0)))
	}
	want := "[7 1000 value number 1000 100 100 value number 100 30 -200 value number 200 2 2000 value number 2000 5 3000 value number 3000]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
