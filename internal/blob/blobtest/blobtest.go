// Package blobtest holds the tests that every blob.Store must pass.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reconcile/internal/blob"
)

// Run runs the conformance tests. open returns a new store that holds nothing.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s blob.Store)
	}{
		{"missing", testMissing}, {"round trip", testRoundTrip}, {"list", testList},
		{"keys", testKeys}, {"ranges", testRanges}, {"invisible until commit", testInvisible},
		{"abort", testAbort}, {"conditions of create", testCreateCond},
		{"conditions of delete", testDeleteCond}, {"move", testMove},
		{"conditions of move", testMoveCond}, {"race for absent", testRaceAbsent},
		{"race for match", testRaceMatch}, {"handle outlives replacement", testOldHandle},
		{"clock", testClock},
		{"cancelled", testCancelled}, {"leftovers", testRemoveLeftovers}, {"empty folders removed beside writers", testRemoveEmptyFoldersRace},
		{"copy", testCopy}, {"delete all", testDeleteAll}, {"read all", testReadAll},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var ctx = context.Background()

func put(t *testing.T, s blob.Store, key, data string) blob.Object {
	t.Helper()
	o, err := blob.Put(ctx, s, key, []byte(data), blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func get(t *testing.T, s blob.Store, key string) string {
	t.Helper()
	data, _, err := blob.ReadAll(ctx, s, key, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// same compares what is known of an object; what a write returns may lack the
// time, and the clock has gone on.
func same(a, b blob.Object) bool {
	a.Now, b.Now = time.Time{}, time.Time{}
	if a.ModTime.IsZero() || b.ModTime.IsZero() {
		a.ModTime, b.ModTime = time.Time{}, time.Time{}
	}
	return a == b
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want one that matches %v", err, want)
	}
}

func keys(t *testing.T, s blob.Store, prefix string) []string {
	t.Helper()
	list, err := s.List(ctx, prefix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var ks []string
	for _, o := range list {
		ks = append(ks, o.Key)
	}
	return ks
}

func wantKeys(t *testing.T, s blob.Store, prefix string, want ...string) {
	t.Helper()
	if got := keys(t, s, prefix); !slices.Equal(got, want) {
		t.Errorf("below %q are %q, want %q", prefix, got, want)
	}
}

func testMissing(t *testing.T, s blob.Store) {
	_, err := s.List(ctx, "no/such")
	wantErr(t, err, fs.ErrNotExist)
	put(t, s, "a/b", "x")
	_, err = s.List(ctx, "a/c")
	wantErr(t, err, fs.ErrNotExist)
	_, err = s.Stat(ctx, "a/c")
	wantErr(t, err, fs.ErrNotExist)
	_, err = s.Open(ctx, "a/c")
	wantErr(t, err, fs.ErrNotExist)
	wantErr(t, s.Delete(ctx, "a/c", blob.Cond{}), fs.ErrNotExist)
	_, err = s.Move(ctx, "a/c", "d/e", blob.Cond{})
	wantErr(t, err, fs.ErrNotExist)
	wantKeys(t, s, "", "a/b")
	if err := s.RemoveEmptyFolders(ctx, "no/such", ""); err != nil {
		t.Error(err)
	}
}

func testRoundTrip(t *testing.T, s blob.Store) {
	for _, data := range []string{"", "x", string(bytes.Repeat([]byte("abc"), 300_000))} {
		o := put(t, s, "k", data)
		if got := get(t, s, "k"); got != data {
			t.Fatalf("read %d bytes, want the %d written", len(got), len(data))
		}
		st, err := s.Stat(ctx, "k")
		if err != nil || st.ModTime.IsZero() || !same(st, o) || o.Key != "k" || o.Size != int64(len(data)) || o.Pin == "" {
			t.Errorf("stat is %+v, %v; commit said %+v", st, err, o)
		}
	}
}

func testList(t *testing.T, s blob.Store) {
	all := []string{"a", "b-c", "b/c.d/e", "b/c/d", "b/c0", "b0", "é/ü x%2F=1"}
	for _, k := range all {
		put(t, s, k, k)
	}
	wantKeys(t, s, "", all...)
	wantKeys(t, s, "b", "b/c.d/e", "b/c/d", "b/c0")
	wantKeys(t, s, "b/c", "b/c/d")
	list, err := s.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		if st, err := s.Stat(ctx, o.Key); err != nil || !same(st, o) || o.ModTime.IsZero() {
			t.Errorf("listed %+v, stat says %+v, %v", o, st, err)
		}
	}
}

func testKeys(t *testing.T, s blob.Store) {
	put(t, s, "ok", "x")
	for _, k := range []string{"", "/a", "..", "../a", "a/../b", "a/..", "a//b", "a/", "./a", "a/.", "a\x00b"} {
		var ke *blob.KeyError
		_, errStat := s.Stat(ctx, k)
		_, errOpen := s.Open(ctx, k)
		_, errCreate := s.Create(ctx, k, blob.Cond{})
		_, errTo := s.Move(ctx, "ok", k, blob.Cond{})
		_, errFrom := s.Move(ctx, k, "ok", blob.Cond{})
		for i, err := range []error{errStat, errOpen, errCreate, errTo, errFrom, s.Delete(ctx, k, blob.Cond{})} {
			// A store without folders may look for what others named so.
			reads := i < 2 && blob.CheckLiteralKey(k) == nil && errors.Is(err, fs.ErrNotExist)
			if !errors.As(err, &ke) && !reads {
				t.Errorf("key %q, operation %d: got %v, want a KeyError", k, i, err)
			}
		}
		if _, err := s.List(ctx, k); k != "" && !errors.As(err, &ke) {
			t.Errorf("list %q: got %v, want a KeyError", k, err)
		}
	}
	wantKeys(t, s, "", "ok")
}

func testRanges(t *testing.T, s blob.Store) {
	put(t, s, "k", "0123456789")
	h, err := s.Open(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if o, _ := s.Stat(ctx, "k"); !same(h.Object(), o) {
		t.Errorf("the handle says %+v, stat %+v", h.Object(), o)
	}
	p := make([]byte, 4)
	if n, err := h.ReadAt(p, 3); n != 4 || err != nil || string(p) != "3456" {
		t.Errorf("read %q, %d, %v", p, n, err)
	}
	if n, err := h.ReadAt(p, 8); n != 2 || err != io.EOF || string(p[:n]) != "89" {
		t.Errorf("at the end: read %q, %v; want the rest and io.EOF", p[:n], err)
	}
	if n, err := h.ReadAt(p, 11); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
	h.ReadAhead(2)
	if got, err := io.ReadAll(io.NewSectionReader(h, 0, 10)); err != nil || string(got) != "0123456789" {
		t.Errorf("in order: read %q, %v", got, err)
	}
}

// testClock is about stores on this machine: their clock is ours, give or take the
// second that answers are rounded to.
func testClock(t *testing.T, s blob.Store) {
	put(t, s, "k", "0123456789")
	st, err := s.Stat(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	_, o, err := blob.ReadAll(ctx, s, "k", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []blob.Object{st, o} {
		if d := time.Since(o.Now); d < -time.Second || d > time.Minute || o.Now.Sub(o.ModTime) < -time.Second {
			t.Errorf("the store's clock says %s of an object of %s; it is %s", o.Now, o.ModTime, time.Now())
		}
	}
}

func testInvisible(t *testing.T, s blob.Store) {
	put(t, s, "a/old", "old")
	for _, k := range []string{"a/old", "b/new"} {
		w, err := s.Create(ctx, k, blob.Cond{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("new")); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, s, "", "a/old")
		if got := get(t, s, "a/old"); got != "old" {
			t.Errorf("before Commit a reader sees %q", got)
		}
		w.Abort()
		w.Abort()
	}
	wantKeys(t, s, "", "a/old")
}

func testAbort(t *testing.T, s blob.Store) {
	w, err := s.Create(ctx, "k", blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	wantKeys(t, s, "", "k")
	if _, err := w.Commit(); err == nil {
		t.Error("a second Commit must fail")
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a Write after Commit must fail")
	}
}

func testCreateCond(t *testing.T, s blob.Store) {
	_, err := blob.Put(ctx, s, "k", []byte("0"), blob.Match("x"))
	wantErr(t, err, blob.ErrConflict)
	wantKeys(t, s, "")
	first, err := blob.Put(ctx, s, "k", []byte("1"), blob.Absent())
	if err != nil {
		t.Fatal(err)
	}
	_, err = blob.Put(ctx, s, "k", []byte("2"), blob.Absent())
	wantErr(t, err, blob.ErrConflict)
	second, err := blob.Put(ctx, s, "k", []byte("3"), blob.Match(first.Pin))
	if err != nil {
		t.Fatal(err)
	}
	_, err = blob.Put(ctx, s, "k", []byte("4"), blob.Match(first.Pin))
	wantErr(t, err, blob.ErrConflict)
	if o, _ := s.Stat(ctx, "k"); !same(o, second) || get(t, s, "k") != "3" {
		t.Errorf("a refused write changed the object: %+v, want %+v", o, second)
	}
}

func testDeleteCond(t *testing.T, s blob.Store) {
	old := put(t, s, "k", "1")
	o := put(t, s, "k", "22")
	wantErr(t, s.Delete(ctx, "k", blob.Match(old.Pin)), blob.ErrConflict)
	wantKeys(t, s, "", "k")
	if err := s.Delete(ctx, "k", blob.Match(o.Pin)); err != nil {
		t.Error(err)
	}
	wantKeys(t, s, "")
	put(t, s, "k", "3")
	if err := s.Delete(ctx, "k", blob.Cond{}); err != nil {
		t.Error(err)
	}
	wantKeys(t, s, "")
}

func testMove(t *testing.T, s blob.Store) {
	put(t, s, "staging/x", "new")
	o, err := s.Move(ctx, "staging/x", "t/y=1/m=2/f", blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	if st, err := s.Stat(ctx, "t/y=1/m=2/f"); err != nil || !same(st, o) || o.Size != 3 {
		t.Errorf("stat says %+v, %v; move said %+v", st, err, o)
	}
	put(t, s, "staging/z", "newer")
	if _, err := s.Move(ctx, "staging/z", "t/y=1/m=2/f", blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, s, "", "t/y=1/m=2/f")
	if got := get(t, s, "t/y=1/m=2/f"); got != "newer" {
		t.Errorf("moved over: reads %q", got)
	}
}

func testMoveCond(t *testing.T, s blob.Store) {
	put(t, s, "from", "new")
	_, err := s.Move(ctx, "from", "to", blob.Match("x"))
	wantErr(t, err, blob.ErrConflict)
	old := put(t, s, "to", "1")
	_, err = s.Move(ctx, "from", "to", blob.Absent())
	wantErr(t, err, blob.ErrConflict)
	o := put(t, s, "to", "22")
	_, err = s.Move(ctx, "from", "to", blob.Match(old.Pin))
	wantErr(t, err, blob.ErrConflict)
	if get(t, s, "to") != "22" || get(t, s, "from") != "new" {
		t.Error("a refused move changed something")
	}
	if _, err = s.Move(ctx, "from", "to", blob.Match(o.Pin)); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Move(ctx, "to", "third", blob.Absent()); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, s, "", "third")
}

// rounds is how often a race is run.
const rounds = 25

// race runs eight writers at once and returns how many succeeded and what the
// last of them wrote.
func race(t *testing.T, s blob.Store, round int, cond blob.Cond) (won int64, content string) {
	t.Helper()
	var wins atomic.Int64
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			data := fmt.Sprintf("round %d, writer %d", round, i)
			_, err := blob.Put(ctx, s, "race/k", []byte(data), cond)
			if err == nil {
				wins.Add(1)
				winner.Store(data)
			} else if !errors.Is(err, blob.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	content, _ = winner.Load().(string)
	return wins.Load(), content
}

func testRaceAbsent(t *testing.T, s blob.Store) {
	for round := range rounds {
		won, content := race(t, s, round, blob.Absent())
		if got := get(t, s, "race/k"); won != 1 || got != content {
			t.Fatalf("%d writers won; the object holds %q, the winner wrote %q", won, got, content)
		}
		if err := s.Delete(ctx, "race/k", blob.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
}

func testRaceMatch(t *testing.T, s blob.Store) {
	put(t, s, "race/k", "first")
	for round := range rounds {
		o, err := s.Stat(ctx, "race/k")
		if err != nil {
			t.Fatal(err)
		}
		won, content := race(t, s, round, blob.Match(o.Pin))
		if got := get(t, s, "race/k"); won != 1 || got != content {
			t.Fatalf("%d writers won; the object holds %q, the winner wrote %q", won, got, content)
		}
	}
}

func testOldHandle(t *testing.T, s blob.Store) {
	old := put(t, s, "k", "old content")
	h, err := s.Open(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	put(t, s, "k", "NEW CONTENT")
	p := make([]byte, 11)
	if _, err := h.ReadAt(p, 0); err == nil && string(p) != "old content" {
		t.Errorf("a handle of the old object read %q", p)
	}
	if o, _ := s.Stat(ctx, "k"); o.Pin == old.Pin {
		t.Error("the pin stayed although the content changed")
	}
}

func testCancelled(t *testing.T, s blob.Store) {
	put(t, s, "k", "x")
	w, err := s.Create(ctx, "l", blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	done, cancel := context.WithCancel(ctx)
	w, err = s.Create(done, "l", blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, errList := s.List(done, "")
	_, errStat := s.Stat(done, "k")
	_, errOpen := s.Open(done, "k")
	_, errCreate := s.Create(done, "k", blob.Cond{})
	_, errMove := s.Move(done, "k", "m", blob.Cond{})
	_, errCommit := w.Commit()
	w.Abort()
	for i, err := range []error{errList, errStat, errOpen, errCreate, errMove, errCommit, s.Delete(done, "k", blob.Cond{})} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("operation %d under a cancelled context: %v", i, err)
		}
	}
	wantKeys(t, s, "", "k")
}

func testRemoveLeftovers(t *testing.T, s blob.Store) {
	put(t, s, "st/a/x", "1")
	put(t, s, "st/b/y", "1")
	left, err := s.Create(ctx, "st/c/z", blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.Create(ctx, "st/b/w", blob.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveLeftovers(ctx, blob.Leftovers{Prefix: "st", Protect: blob.Below("st/b"), Moved: []string{"t"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Commit(); err != nil {
		t.Errorf("a protected write failed: %v", err)
	}
	if _, err := left.Commit(); err == nil {
		t.Error("a write that was tidied away must not commit")
	}
	left.Abort()
	wantKeys(t, s, "", "st/a/x", "st/b/w", "st/b/y")
	if err := s.RemoveLeftovers(ctx, blob.Leftovers{Prefix: "no/such"}); err != nil {
		t.Error(err)
	}
}

func testRemoveEmptyFoldersRace(t *testing.T, s blob.Store) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 20 {
				from, to := fmt.Sprintf("st/%d", i), fmt.Sprintf("t/y/m/%d", i)
				_, err := blob.Put(ctx, s, from, []byte{byte(n)}, blob.Cond{})
				if err == nil {
					_, err = s.Move(ctx, from, to, blob.Absent())
				}
				if err == nil {
					err = s.Delete(ctx, to, blob.Cond{})
				}
				if err = errors.Join(err, s.RemoveEmptyFolders(ctx, "t/y/m", "")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	wantKeys(t, s, "")
}

func testCopy(t *testing.T, s blob.Store) {
	data := string(bytes.Repeat([]byte("0123456789"), 250_000))
	put(t, s, "a", data)
	if _, err := blob.Copy(ctx, s, "a", s, "b/c", blob.Absent()); err != nil {
		t.Fatal(err)
	}
	got, _, err := blob.ReadAll(ctx, s, "b/c", 1<<30)
	if err != nil || string(got) != data {
		t.Errorf("the copy differs (%v)", err)
	}
	_, err = blob.Copy(ctx, s, "a", s, "b/c", blob.Absent())
	wantErr(t, err, blob.ErrConflict)
	_, err = blob.Copy(ctx, s, "none", s, "d", blob.Absent())
	wantErr(t, err, fs.ErrNotExist)
	wantKeys(t, s, "", "a", "b/c")
}

func testDeleteAll(t *testing.T, s blob.Store) {
	for _, k := range []string{"a/b/1", "a/b/2", "a/bb/3", "a/c/4", "d"} {
		put(t, s, k, "x")
	}
	if err := blob.DeleteAll(ctx, s, "a", blob.Below("a/b")); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, s, "", "a/b/1", "a/b/2", "d")
	if err := blob.DeleteAll(ctx, s, "no/such", nil); err != nil {
		t.Error(err)
	}
}

func testReadAll(t *testing.T, s blob.Store) {
	put(t, s, "k", "12345")
	_, _, err := blob.ReadAll(ctx, s, "k", 4)
	wantErr(t, err, blob.ErrTooLarge)
	if data, _, err := blob.ReadAll(ctx, s, "k", 5); err != nil || string(data) != "12345" {
		t.Errorf("got %q, %v", data, err)
	}
}
