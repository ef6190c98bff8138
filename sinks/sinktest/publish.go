package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"reconcile/internal/blob"
	"reconcile/internal/errclass"
	"reconcile/sinks"
)

// unchanged runs do and demands that it changes no object.
func unchanged(t *testing.T, p Place, do func()) {
	t.Helper()
	before, err := p.Store.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	do()
	after, err := p.Store.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("changed something: %v, was %v", after, before)
	}
}

func testNew(t *testing.T, p Place) {
	f := stage(t, p, "a", "f", 0, 10)
	s := moveOf(f, "t/year=2026/month=01/f.parquet")
	published := func(want sinks.Object) {
		t.Helper()
		unchanged(t, p, func() {
			if o, err := p.Sink.Published(ctx, s); err != nil || o != want {
				t.Errorf("it is said that %+v is there, want %+v; %v", o, want, err)
			}
		})
	}
	published(sinks.Object{})
	first := publish(t, p, s)
	published(first)
	if got := digestOf(content(t, p, s.Path)); got != f.Digest {
		t.Errorf("the published file has digest %s, want %s", got, f.Digest)
	}
	wantAll(t, p, "", s.Path)
	for range 2 {
		unchanged(t, p, func() {
			if again := publish(t, p, s); again != first {
				t.Errorf("repeated: %+v, was %+v", again, first)
			}
		})
	}
	// A repeat may also find the staged file: a copy was made, its removal not.
	tamper(t, p, f.Path, string(content(t, p, s.Path)))
	publish(t, p, s)
	if got := digestOf(content(t, p, s.Path)); got != f.Digest {
		t.Errorf("a repeat changed the file")
	}
	tamper(t, p, s.Path, "something else")
	published(sinks.Object{})
}

func testReplace(t *testing.T, p Place) {
	old := stage(t, p, "a", "old", 0, 10)
	o := publish(t, p, moveOf(old, "t/f.parquet"))
	fresh := stage(t, p, "b", "new", 100, 20)
	s := moveOf(fresh, "t/f.parquet")
	s.Before, s.BeforePin = old.Digest, o.Pin
	now := publish(t, p, s)
	if now.Pin == o.Pin || digestOf(content(t, p, "t/f.parquet")) != fresh.Digest {
		t.Errorf("the old file still stands: %+v", now)
	}
	unchanged(t, p, func() { publish(t, p, s) })
	wantAll(t, p, "", "t/f.parquet")
	for name, pin := range map[string]string{"without a pin": "", "with an outdated pin": o.Pin} {
		third := stage(t, p, "c", "third", 7, 7)
		s = moveOf(third, "t/f.parquet")
		s.Before, s.BeforePin = digestOf(content(t, p, "t/f.parquet")), pin
		if _, err := p.Sink.Publish(ctx, s); err != nil || digestOf(content(t, p, "t/f.parquet")) != third.Digest {
			t.Errorf("%s: not replaced: %v", name, err)
		}
	}
	// What should be replaced may be gone: then the new file only has to come.
	if err := p.Store.Delete(ctx, "t/f.parquet", blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	fourth := stage(t, p, "d", "fourth", 1, 1)
	s = moveOf(fourth, "t/f.parquet")
	s.Before, s.BeforePin = old.Digest, o.Pin
	publish(t, p, s)
}

func testRemove(t *testing.T, p Place) {
	f := stage(t, p, "a", "f", 0, 10)
	g := stage(t, p, "a", "g", 0, 11)
	o := publish(t, p, moveOf(f, "t/year=2026/month=01/f.parquet"))
	publish(t, p, moveOf(g, "t/year=2026/month=02/g.parquet"))
	s := sinks.Step{Path: o.Path, Before: f.Digest, BeforePin: o.Pin}
	for range 2 {
		if left := publish(t, p, s); left != (sinks.Object{}) {
			t.Errorf("a removal left %+v", left)
		}
		wantAll(t, p, "", "t/year=2026/month=02/g.parquet")
	}
	publish(t, p, sinks.Step{Path: "t/year=2026/month=02/g.parquet", Before: g.Digest})
	wantAll(t, p, "")
	publish(t, p, sinks.Step{Path: "never/there.parquet", Before: g.Digest})
}

func testLost(t *testing.T, p Place) {
	old := stage(t, p, "a", "old", 0, 10)
	o := publish(t, p, moveOf(old, "t/f.parquet"))
	fresh := stage(t, p, "b", "new", 100, 20)
	data := content(t, p, fresh.Path)
	for _, c := range []struct {
		name, path string
		harm       func()
	}{
		{"removed, to replace", "t/f.parquet", func() { p.Store.Delete(ctx, fresh.Path, blob.Cond{}) }},
		{"removed, to be new", "t/new.parquet", func() {}},
		{"cut", "t/f.parquet", func() { tamper(t, p, fresh.Path, string(data[:len(data)-1])) }},
	} {
		c.harm()
		s := moveOf(fresh, c.path)
		if c.path == "t/f.parquet" {
			s.Before, s.BeforePin = old.Digest, o.Pin
		}
		unchanged(t, p, func() {
			_, err := p.Sink.Publish(ctx, s)
			wantErr(t, err, sinks.ErrStagedLost, fresh.Path)
		})
	}
	tamper(t, p, fresh.Path, string(data))
	s := moveOf(fresh, "t/f.parquet")
	s.Before, s.BeforePin = old.Digest, o.Pin
	publish(t, p, s)
}

func testMoveDrift(t *testing.T, p Place) {
	old := stage(t, p, "a", "old", 0, 10)
	o := publish(t, p, moveOf(old, "t/f.parquet"))
	fresh := stage(t, p, "b", "new", 100, 20)
	for _, foreign := range []string{"foreign", string(bytes.Repeat([]byte("x"), int(old.Size))), ""} {
		tamper(t, p, "t/f.parquet", foreign)
		s := moveOf(fresh, "t/f.parquet")
		for _, before := range []string{old.Digest, ""} {
			s.Before, s.BeforePin = before, o.Pin
			unchanged(t, p, func() {
				_, err := p.Sink.Publish(ctx, s)
				wantErr(t, err, sinks.ErrDrift, "t/f.parquet")
			})
		}
	}
}

func testRemoveDrift(t *testing.T, p Place) {
	f := stage(t, p, "a", "f", 0, 10)
	o := publish(t, p, moveOf(f, "t/f.parquet"))
	tamper(t, p, "t/f.parquet", string(content(t, p, "t/f.parquet"))+"x")
	for _, s := range []sinks.Step{
		{Path: "t/f.parquet", Before: f.Digest, BeforePin: o.Pin}, {Path: "t/f.parquet", Before: f.Digest}, {Path: "t/f.parquet"},
	} {
		unchanged(t, p, func() {
			_, err := p.Sink.Publish(ctx, s)
			wantErr(t, err, sinks.ErrDrift, "t/f.parquet")
		})
	}
}

func testRefused(t *testing.T, p Place) {
	f := stage(t, p, "a", "f", 0, 1)
	publish(t, p, moveOf(stage(t, p, "a", "g", 0, 1), "t/g.parquet"))
	for _, s := range []sinks.Step{
		moveOf(f, "../x"), moveOf(f, "/x"), moveOf(f, ""), moveOf(f, "_reconcile/x"), moveOf(f, "_reconcile"),
		{Staged: "t/g.parquet", Path: "t/h.parquet", After: f.Digest}, {Staged: f.Path, Path: "t/h.parquet", Size: f.Size},
		{Path: f.Path, Before: f.Digest}, {Path: "_reconcile/current.json", Before: "x"}, {Path: ""},
	} {
		unchanged(t, p, func() {
			if _, err := p.Sink.Publish(ctx, s); err == nil {
				t.Errorf("carried out %+v", s)
			}
		})
	}
}

func testRemoveStaged(t *testing.T, p Place) {
	if err := p.Sink.RemoveStaged(ctx, sinks.StagedRemoval{}); err != nil {
		t.Fatal(err)
	}
	kept := stage(t, p, "kept", "f", 0, 3)
	stage(t, p, "gone", "f", 0, 3)
	stage(t, p, "kept2", "f", 0, 3)
	publish(t, p, moveOf(stage(t, p, "gone", "g", 5, 3), "t/f.parquet"))
	if _, err := p.Sink.SetCurrent(ctx, &sinks.Current{Lineage: "l"}, ""); err != nil {
		t.Fatal(err)
	}
	open, err := p.Sink.Stage(ctx, "kept", "open", fileSpec(t, p))
	if err != nil {
		t.Fatal(err)
	}
	dead, err := p.Sink.Stage(ctx, "dead", "open", fileSpec(t, p))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Sink.RemoveStaged(ctx, sinks.StagedRemoval{Keep: []string{"kept", "never"}, Folders: []string{"t"}}); err != nil {
			t.Fatal(err)
		}
		wantAll(t, p, "", "_reconcile/current.json", kept.Path, "t/f.parquet")
	}
	if _, err := open.Close(); err != nil {
		t.Errorf("a file of an attempt to be kept: %v", err)
	}
	if _, err := dead.Close(); err == nil {
		t.Error("a file of an attempt that was removed was closed")
	}
	dead.Abort()
	newer, mine := stage(t, p, sinks.AttemptName(8), "f", 0, 3), stage(t, p, sinks.AttemptName(7), "f", 0, 3)
	old := stage(t, p, sinks.AttemptName(0), "f", 0, 3)
	if err := p.Sink.RemoveStaged(ctx, sinks.StagedRemoval{}); err != nil {
		t.Fatal(err)
	}
	wantAll(t, p, "", "_reconcile/current.json", mine.Path, newer.Path, "t/f.parquet")
	if err := p.Sink.RemoveStaged(ctx, sinks.StagedRemoval{Generation: 7}); err != nil {
		t.Fatal(err)
	}
	wantAll(t, p, "", "_reconcile/current.json", newer.Path, "t/f.parquet")
	if _, err := p.Sink.Publish(ctx, moveOf(old, "t/g.parquet")); !errors.Is(err, sinks.ErrStagedLost) {
		t.Errorf("a file that was removed was moved: %v", err)
	}
	if err := p.Sink.RemoveStaged(ctx, sinks.StagedRemoval{Generation: 8}); err != nil {
		t.Fatal(err)
	}
	if err := p.Sink.RemoveStaged(ctx, sinks.StagedRemoval{}); err != nil {
		t.Fatal(err)
	}
	wantAll(t, p, "", "_reconcile/current.json", "t/f.parquet")
}

// testWholeFiles reads a file over and over while it is replaced.
func testWholeFiles(t *testing.T, p Place) {
	const rounds = 30
	known := map[string]bool{}
	var steps []sinks.Step
	before := ""
	for i := range rounds {
		f := stage(t, p, "a", fmt.Sprint(i), i, 200+i)
		s := moveOf(f, "t/f.parquet")
		s.Before, before = before, f.Digest
		known[f.Digest] = true
		steps = append(steps, s)
	}
	publish(t, p, steps[0])
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			if d := digestOf(content(t, p, "t/f.parquet")); !known[d] {
				t.Errorf("a reader saw content of digest %q, which was never published", d)
			}
			// A server may show the temporary name, too, under which it replaces a file.
			got := slices.DeleteFunc(all(t, p, "t"), func(key string) bool { return !strings.HasSuffix(key, ".parquet") })
			if len(got) != 1 {
				t.Errorf("a listing shows %q", got)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for _, s := range steps[1:] {
		publish(t, p, s)
	}
	close(stop)
	<-stopped
}

func testParallel(t *testing.T, p Place) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprint(i)
			w, err := p.Sink.Stage(ctx, "a", name, fileSpec(t, p))
			if err != nil {
				t.Error(err)
				return
			}
			err = w.Write(ctx, batch(i, 50))
			f, cerr := w.Close()
			if err = errors.Join(err, cerr); err != nil {
				t.Error(err)
				return
			}
			s := moveOf(f, "t/year=2026/"+name+"/f.parquet")
			_, err = p.Sink.Publish(ctx, s)
			if err == nil && i%2 == 0 {
				_, err = p.Sink.Publish(ctx, sinks.Step{Path: s.Path, Before: f.Digest})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantAll(t, p, "", "t/year=2026/1/f.parquet", "t/year=2026/3/f.parquet", "t/year=2026/5/f.parquet", "t/year=2026/7/f.parquet")
}

func testCancelled(t *testing.T, p Place) {
	f := stage(t, p, "a", "f", 0, 3)
	publish(t, p, moveOf(stage(t, p, "a", "g", 0, 3), "t/g.parquet"))
	done, cancel := context.WithCancel(ctx)
	w, err := p.Sink.Stage(done, "a", "h", fileSpec(t, p))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	unchanged(t, p, func() {
		_, errStage := p.Sink.Stage(done, "a", "i", fileSpec(t, p))
		_, errDescribe := p.Sink.Describe(done, sinks.TableSpec{Folder: "t"})
		_, errOpen := p.Sink.Open(done, "t/g.parquet", "", schema())
		_, errList := p.Sink.List(done, "t")
		_, errPublish := p.Sink.Publish(done, moveOf(f, "t/f.parquet"))
		_, _, errCurrent := p.Sink.Current(done)
		_, errSetCurrent := p.Sink.SetCurrent(done, &sinks.Current{Lineage: "l"}, "")
		_, errClose := w.Close()
		for i, err := range []error{
			w.Write(done, batch(0, 3)), errClose, errDescribe, errStage, errOpen, errList, errPublish, errCurrent,
			errSetCurrent, p.Sink.RemoveStaged(done, sinks.StagedRemoval{}),
		} {
			if !errors.Is(err, context.Canceled) || errclass.Of(err) != errclass.Cancelled {
				t.Errorf("operation %d under a cancelled context: %v", i, err)
			}
		}
	})
	w.Abort()
}
