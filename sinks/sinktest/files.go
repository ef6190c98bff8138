package sinktest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/sinks"
)

func testRoundTrip(t *testing.T, p Place) {
	w, err := p.Sink.Stage(ctx, "a1", "f", fileSpec(t, p))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	shared := batch(0, 1)
	for from, n := 0, 1; n < 3000; from, n = from+n, n*3 {
		*shared = *batch(from, n)
		want = append(want, rows(shared)...)
		if err := w.Write(ctx, shared); err != nil {
			t.Fatal(err)
		}
		for k := range shared.Cols { // the writer must have copied what it keeps
			c := &shared.Cols[k]
			clear(c.Ints)
			clear(c.Floats)
			clear(c.Codes)
			if c.Dict != nil {
				c.Dict.Reset()
			}
		}
	}
	f, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	data := content(t, p, f.Path)
	if f.Rows != int64(len(want)) || f.Size != int64(len(data)) || f.Digest != digestOf(data) {
		t.Errorf("%+v describes %d rows, %d bytes, digest %s wrongly", f, len(want), len(data), digestOf(data))
	}
	o := publish(t, p, moveOf(f, "t/x.parquet"))
	if got := read(t, p, "t/x.parquet", o.Pin, schema()); !slices.Equal(got, want) {
		t.Errorf("read %d rows, not the %d written", len(got), len(want))
	}
}

// testBatchesStay keeps every batch of two readers of one file, and looks at
// them only after the last one was read and the readers were closed.
func testBatchesStay(t *testing.T, p Place) {
	w, err := p.Sink.Stage(ctx, "a", "f", fileSpec(t, p))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	const each, parts = 100, 5
	for i := range parts {
		b := batch(i*each, each)
		want = append(want, rows(b)...)
		if err := w.Write(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	o := publish(t, p, moveOf(f, "t/f.parquet"))
	absent := column.Column{Name: "absent", Type: column.Type{ID: column.String}}
	var kept [2][]*column.Batch
	var readers [2]sinks.Reader
	for k := range readers {
		if readers[k], err = p.Sink.Open(ctx, "t/f.parquet", o.Pin, append(schema(), absent)); err != nil {
			t.Fatal(err)
		}
	}
	for more := true; more; {
		for k, r := range readers {
			b, err := r.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if more = b != nil; more {
				kept[k] = append(kept[k], b)
			}
		}
	}
	for _, r := range readers {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	for k, batches := range kept {
		if len(batches) < 2 {
			t.Fatalf("the %d rows came as %d batches: give the sink of the test small row groups", len(want), len(batches))
		}
		var got []string
		for _, b := range batches {
			for _, row := range rows(b) {
				got = append(got, strings.TrimSuffix(row, "null|")) // of the absent column
			}
			scribble(b) // which nobody else may notice
		}
		if !slices.Equal(got, want) {
			t.Errorf("reader %d: its batches did not stay as they were", k)
		}
	}
}

// scribble overwrites a batch, as its owner may.
func scribble(b *column.Batch) {
	for i := range b.Cols {
		c := &b.Cols[i]
		clear(c.Ints)
		clear(c.Floats)
		clear(c.Codes)
		if c.Dict != nil {
			c.Dict.Reset()
			c.Dict.Add([]byte("scribbled"))
		}
	}
}

func testMissingColumns(t *testing.T, p Place) {
	f := stage(t, p, "a", "f", 10, 2)
	publish(t, p, moveOf(f, "t/f.parquet"))
	cols := []column.Column{
		{Name: "new", Type: column.Type{ID: column.Timestamp}}, {Name: "name", Type: column.Type{ID: column.String}},
		{Name: "other", Type: column.Type{ID: column.String}},
	}
	got := read(t, p, "t/f.parquet", "", cols)
	if want := []string{`null|"name 3"|null|`, `null|null|null|`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	r, err := p.Sink.Open(ctx, "t/f.parquet", "", []column.Column{{Name: "name", Type: column.Type{ID: column.Int64}}})
	if err == nil {
		_, err = r.Next(ctx)
		r.Close()
	}
	if err == nil {
		t.Error("a column was read as another type")
	}
}

func testWrongBatches(t *testing.T, p Place) {
	for name, change := range map[string]func(b *column.Batch){
		"a column less":    func(b *column.Batch) { b.Cols = b.Cols[1:] },
		"another name":     func(b *column.Batch) { b.Cols[1].Name = "x" },
		"another order":    func(b *column.Batch) { b.Cols[0], b.Cols[2] = b.Cols[2], b.Cols[0] },
		"another type":     func(b *column.Batch) { b.Cols[2].Type = column.Type{ID: column.Int64} },
		"rows are missing": func(b *column.Batch) { b.N++ },
	} {
		w, err := p.Sink.Stage(ctx, "a", "f", fileSpec(t, p))
		if err != nil {
			t.Fatal(err)
		}
		b := batch(0, 3)
		change(b)
		if err := w.Write(ctx, b); err == nil {
			t.Errorf("%s: written", name)
		}
		w.Abort()
	}
	wantAll(t, p, "")
}

func testNoRows(t *testing.T, p Place) {
	f := stage(t, p, "a", "f", 0, 0)
	if f.Rows != 0 {
		t.Errorf("%+v", f)
	}
	publish(t, p, moveOf(f, "t/f.parquet"))
	if got := read(t, p, "t/f.parquet", "", schema()); len(got) != 0 {
		t.Errorf("read %q", got)
	}
}

func testInvisible(t *testing.T, p Place) {
	w, err := p.Sink.Stage(ctx, "a", "open", fileSpec(t, p))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, batch(0, 10)); err != nil {
		t.Fatal(err)
	}
	f := stage(t, p, "a", "x.parquet", 0, 5)
	g := stage(t, p, "a", "x.PARQUET", 0, 5)
	if f.Path == g.Path {
		t.Error("two names became one path")
	}
	for _, k := range all(t, p, "") {
		if !blob.Under(k, "_reconcile/staging/a") {
			t.Errorf("%s is outside of the staging folder", k)
		}
	}
	for _, folder := range []string{"", "t"} {
		if list, err := p.Sink.List(ctx, folder); err != nil || len(list) != 0 {
			t.Errorf("the sink lists %v, %v", list, err)
		}
	}
	checkGlob(t, p)
	w.Abort()
}

func testAbort(t *testing.T, p Place) {
	w, err := p.Sink.Stage(ctx, "a", "f", fileSpec(t, p))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, batch(0, 10)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if _, err := w.Close(); err == nil {
		t.Error("closed after it was aborted")
	}
	wantAll(t, p, "")
	if f := stage(t, p, "a", "f", 0, 1); f.Rows != 1 {
		t.Errorf("%+v", f)
	}
}

func testNames(t *testing.T, p Place) {
	for _, n := range [][2]string{{"", "f"}, {"a", ""}, {"..", "f"}, {"a", ".."}, {"a/b", "f"}, {"a", "b/f"}, {"a", "f\x00"}} {
		if _, err := p.Sink.Stage(ctx, n[0], n[1], fileSpec(t, p)); err == nil {
			t.Errorf("staged %q in %q", n[1], n[0])
		}
	}
	if err := p.Sink.RemoveStaged(ctx, sinks.StagedRemoval{Keep: []string{"../x"}}); err == nil {
		t.Error("removed with a name that climbs out")
	}
	wantAll(t, p, "")
}

func testList(t *testing.T, p Place) {
	if list, err := p.Sink.List(ctx, "t"); err != nil || len(list) != 0 {
		t.Errorf("a missing folder lists %v, %v", list, err)
	}
	want := map[string]sinks.Object{}
	for i, key := range []string{"t/year=2026/month=01/f.parquet", "t/a.parquet", "t/year=2025/f.parquet", "t2/f.parquet"} {
		o := publish(t, p, moveOf(stage(t, p, "a", fmt.Sprint(i), i, 3), key))
		if o.Path != key || o.Size == 0 || o.Pin == "" {
			t.Errorf("published as %+v", o)
		}
		want[key] = o
	}
	foreign := tamper(t, p, "t/year=2025/foreign.txt", "x")
	want[foreign.Key] = sinks.Object{Path: foreign.Key, Size: foreign.Size, Pin: foreign.Pin}
	list, err := p.Sink.List(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, o := range list {
		paths = append(paths, o.Path)
		if o != want[o.Path] {
			t.Errorf("listed %+v, published %+v", o, want[o.Path])
		}
	}
	order := []string{"t/a.parquet", "t/year=2025/f.parquet", "t/year=2025/foreign.txt", "t/year=2026/month=01/f.parquet"}
	if !slices.Equal(paths, order) {
		t.Errorf("listed %q, want %q", paths, order)
	}
	for _, folder := range []string{"_reconcile", "_reconcile/staging", "../t", "/t"} {
		if _, err := p.Sink.List(ctx, folder); err == nil {
			t.Errorf("listed %s", folder)
		}
	}
}

func testPins(t *testing.T, p Place) {
	o := publish(t, p, moveOf(stage(t, p, "a", "f", 0, 3), "t/f.parquet"))
	_, err := p.Sink.Open(ctx, "t/f.parquet", o.Pin+"x", schema())
	wantErr(t, err, sinks.ErrDrift, "t/f.parquet")
	old := content(t, p, "t/f.parquet")
	tamper(t, p, "t/f.parquet", string(old))
	_, err = p.Sink.Open(ctx, "t/f.parquet", o.Pin, schema())
	if err != nil && !errors.Is(err, sinks.ErrDrift) { // an ETag may stay with the content
		t.Errorf("got %v", err)
	}
	tamper(t, p, "t/f.parquet", "not Parquet")
	if _, err = p.Sink.Open(ctx, "t/f.parquet", "", schema()); err == nil || !strings.Contains(err.Error(), "t/f.parquet") {
		t.Errorf("got %v", err)
	}
	_, err = p.Sink.Open(ctx, "t/none.parquet", o.Pin, schema())
	wantErr(t, err, sinks.ErrDrift, "t/none.parquet")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not say that the file is gone", err)
	}
}
