package chain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/state/internal/chain"
)

// collect collects as a writer with generation 7 and these live objects.
func collect(t testing.TB, r *reader, live []string) *chain.Collected {
	t.Helper()
	out, err := r.c.Collect(ctx, collection(r, live))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func collection(r *reader, live []string) chain.Collection {
	return chain.Collection{Head: r.s.At, Generation: 7, Live: func(name string) bool { return slices.Contains(live, name) },
		Then: func(context.Context, chain.Checkpoint) (func(string) bool, error) {
			return func(string) bool { return false }, nil
		}}
}

func object(t testing.TB, c *chain.Chain, generation uint64, data string) chain.Ref {
	t.Helper()
	w := c.NewObject(ctx, generation)
	defer w.Abort()
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	ref, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// TestCollectHistory: entries and checkpoints go a day after a checkpoint was written
// that has another one below it.
func TestCollectHistory(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		w := &reader{c: p.chain(t, chain.Options{})}
		counts := func() [2]int { return [2]int{len(p.names(t, "log")), len(p.names(t, "checkpoints"))} }
		step := func(what string, want [2]int) {
			t.Helper()
			collect(t, w, nil)
			if got := counts(); got != want {
				t.Errorf("%s: entries and checkpoints %v, want %v", what, got, want)
			}
			wantState(t, w.c, w.s.Payloads)
		}
		w.append(t, numbers(1, 2)...)
		w.checkpoint(t)
		p.age(t, "checkpoints")
		step("one checkpoint", [2]int{2, 1})
		w.append(t, numbers(3, 4)...)
		w.checkpoint(t)
		step("the newer of two is young", [2]int{4, 2})
		p.age(t, "checkpoints")
		step("both are old", [2]int{2, 2})
		w.append(t, numbers(5, 6)...)
		w.checkpoint(t)
		step("with a young one above", [2]int{4, 3})
		p.age(t, "checkpoints")
		w.append(t, "p7")
		w.checkpoint(t)
		step("every night", [2]int{3, 3}) // 5 to 7; 4, 6 and 7
	})
}

// TestCollectRefusesBelowACheckpoint: who stands below has lost its lease.
func TestCollectRefusesBelowACheckpoint(t *testing.T) {
	p := local(t)
	w := &reader{c: p.chain(t, chain.Options{})}
	w.append(t, "p1")
	old := collection(w, nil)
	w.append(t, "p2")
	w.checkpoint(t)
	if _, err := w.c.Collect(ctx, old); !errors.Is(err, chain.ErrBeginAgain) {
		t.Error(err)
	}
}

// TestCollectObjects looks at each kind of object.
func TestCollectObjects(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		w := &reader{c: p.chain(t, chain.Options{})}
		live, let, orphan, above := object(t, w.c, 3, "live"), object(t, w.c, 3, "let go"), object(t, w.c, 7, "orphan"), object(t, w.c, 8, "above")
		if _, err := blob.Put(ctx, p.store, "objects/readme.txt", nil, blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		w.append(t, "p1", strings.Repeat("large", 1<<20))
		w.checkpoint(t)
		col := collection(w, []string{live.Name})
		asked, named := []uint64(nil), let.Name
		col.Then = func(_ context.Context, k chain.Checkpoint) (func(string) bool, error) {
			asked = append(asked, k.Serial)
			return func(name string) bool { return name == named }, nil
		}
		step := func(what string, want ...chain.Ref) {
			t.Helper()
			col.Head = w.s.At
			if _, err := w.c.Collect(ctx, col); err != nil {
				t.Fatal(err)
			}
			names := p.names(t, "objects")
			for _, ref := range []chain.Ref{live, let, orphan, above} {
				if slices.Contains(names, ref.Name) != slices.Contains(want, ref) {
					t.Errorf("%s: %s is there: %v", what, ref.Name, slices.Contains(names, ref.Name))
				}
			}
			if !slices.Contains(names, "readme.txt") {
				t.Errorf("%s: what is not ours is gone", what)
			}
			wantState(t, w.c, w.s.Payloads)
		}
		step("today", live, let, orphan, above)
		p.age(t, "objects")
		step("old objects, a young checkpoint", live, let, orphan, above)
		p.age(t, "checkpoints")
		young := object(t, w.c, 7, "young")
		step("an old checkpoint that names one", live, let, above)
		if names := p.names(t, "objects"); !slices.Contains(names, young.Name) || len(names) != 6 { // with the payload and the foreign one
			t.Errorf("objects %q", names)
		}
		named = ""
		w.append(t, "p3")
		w.checkpoint(t)
		step("a young checkpoint that does not", live, above)
		p.age(t, "checkpoints")
		step("the record with the large payload goes", live, above)
		if n := len(p.names(t, "objects")); n != 4 {
			t.Errorf("%d objects", n)
		}
		if !slices.Equal(asked, []uint64{2, 2}) {
			t.Errorf("checkpoints %d were asked", asked)
		}
	})
}

// TestRefusedRemovalsAreWarnings, one for each kind.
func TestRefusedRemovalsAreWarnings(t *testing.T) {
	srv := s3test.Start(t)
	gate := s3test.NewGate(t, srv.Endpoint)
	p := onS3(t, srv, func(o *s3blob.Options) { o.Endpoint = gate.Endpoint })
	w := &reader{c: p.chain(t, chain.Options{})}
	for i := range 4 {
		w.append(t, fmt.Sprint("p", i))
		w.checkpoint(t)
	}
	object(t, w.c, 1, "orphan")
	p.age(t, "checkpoints")
	p.age(t, "objects")
	gate.Rule(refuseDeletes)
	got := collect(t, w, nil)
	if got.Removed != 0 || len(got.Warnings) != 3 || !strings.Contains(got.Warnings[0].Error(), "s3:DeleteObject") {
		t.Errorf("%+v", got)
	}
	gate.Rule(nil)
	if got := collect(t, w, nil); got.Removed != 6 || len(got.Warnings) > 0 {
		t.Errorf("tried again: %+v", got)
	}
}

// TestExpunge takes what may hold values at once, and keeps the slots.
func TestExpunge(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		w := &reader{c: p.chain(t, chain.Options{})}
		live, old := object(t, w.c, 7, "live"), object(t, w.c, 7, "plain")
		w.append(t, "p1", "p2", strings.Repeat("large", 1<<20))
		w.checkpoint(t)
		before := w.s
		w.append(t, "mask")
		col := collection(w, []string{live.Name})
		if _, err := w.c.Expunge(ctx, col, w.s.At.Serial); err == nil {
			t.Error("without a checkpoint of the masked state")
		}
		w.checkpoint(t)
		w.append(t, "p5")
		col.Head = w.s.At
		for _, key := range []string{"backups/a/x", "backups/a/y", "backups/b/x"} {
			if _, err := blob.Put(ctx, p.store, key, nil, blob.Cond{}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := w.c.Expunge(ctx, col, 4)
		if err != nil || got.Stubs != 4 || got.Removed != 3 || !slices.Equal(got.Backups, []string{"a", "b"}) || len(got.Warnings) > 0 {
			t.Fatalf("%+v, %v (the plain one is %s)", got, err, old.Name)
		}
		if n := len(p.names(t, "log")); n != 5 {
			t.Errorf("%d slots", n)
		}
		if o := p.names(t, "objects"); !slices.Equal(o, []string{live.Name}) {
			t.Errorf("objects %q", o)
		}
		wantState(t, w.c, w.s.Payloads)
		r := &reader{c: w.c, s: before} // a cache from before
		if l := mustLoad(t, r); !slices.Equal(r.s.Payloads, w.s.Payloads) || l.Cached {
			t.Errorf("%q, cached %v", r.s.Payloads, l.Cached)
		}
		if got, err = w.c.Expunge(ctx, col, 4); err != nil || got.Stubs != 0 || got.Removed != 0 {
			t.Errorf("again: %+v, %v", got, err)
		}
		out, other, err := w.c.Append(ctx, next(chain.Position{Serial: 1, Digest: before.At.Digest}, "late"), nil)
		if out == chain.Done || other != nil && !other.Stub {
			t.Errorf("a late record took the slot of a stub: %v, %v", out, err)
		}
	})
}

// TestObjects are read by range; one that is gone is told from damage by whether the
// chain moved on.
func TestObjects(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		w := &reader{c: p.chain(t, chain.Options{})}
		large := strings.Repeat("0123456789abcdef", 5<<20/16)
		ref, twin := object(t, w.c, 255, large), object(t, w.c, 255, large)
		if ref.Name == twin.Name || ref.Digest != twin.Digest || !strings.HasPrefix(ref.Name, "0000000000ff-"+ref.Digest.String()+"-") || ref.Size != 5<<20 {
			t.Errorf("%+v, %+v", ref, twin)
		}
		h, err := w.c.OpenObject(ctx, ref.Name, ref.Size)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		part := make([]byte, 16)
		if _, err := h.ReadAt(part, 4<<20+16); err != nil || string(part) != large[:16] {
			t.Errorf("%q, %v", part, err)
		}
		var d *chain.DamagedError
		if _, err := w.c.OpenObject(ctx, ref.Name, 7); !errors.As(err, &d) {
			t.Error(err)
		}
		w.append(t, "p1")
		at := w.s.At
		if err := w.c.Missing(ctx, ref.Name, at); !errors.As(err, &d) {
			t.Errorf("at the head: %v", err)
		}
		w.append(t, "p2")
		if err := w.c.Missing(ctx, ref.Name, at); !errors.Is(err, chain.ErrBeginAgain) {
			t.Errorf("before the head: %v", err)
		}
	})
}

// TestYoungByTheStoresClock: what the local clock says does not count. The day is so
// long that only another clock could end it.
func TestYoungByTheStoresClock(t *testing.T) {
	p := onS3(t, s3test.Start(t), nil)
	w := &reader{c: p.chain(t, chain.Options{Day: 30 * time.Minute})}
	for i := range 3 {
		w.append(t, fmt.Sprint("p", i))
		w.checkpoint(t)
	}
	if got := collect(t, w, nil); got.Removed != 0 {
		t.Errorf("%+v", got)
	}
}
