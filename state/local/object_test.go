package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// atOnce is how many bytes of an object state.Object.Verify reads at a time.
const atOnce = 256 << 10

// isBulky reports whether an object lies in the folder.
func isBulky(s *state.Store, ref state.Ref) bool {
	_, err := os.Stat(at(s).object(ref.Digest))
	return err == nil
}

func objectFiles(t testing.TB, s *state.Store) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(at(s).objects(), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() && d.Name() != markerName {
			all = append(all, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestObjectsOfEverySize(t *testing.T) {
	s := newStore(t)
	limited(s, 1000)
	l := statetest.Lock(t, s)
	for _, size := range []int{0, 1, 999, 1000, 1001, 5000, 300_000} {
		for _, pieces := range []int{1, 7} {
			t.Run(fmt.Sprintf("%d in %d", size, pieces), func(t *testing.T) {
				data := statetest.Random(size)
				o := statetest.Write(t, s, data, pieces)
				if want := statetest.DigestOf(string(data)); o.Ref.Digest != want || o.Ref.Size != int64(size) {
					t.Fatalf("got %+v, want the digest %s", o.Ref, want)
				}
				if bulky := isBulky(s, o.Ref); bulky != (size > 1000) {
					t.Errorf("in a file: %v", bulky)
				}
				statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutObject(o) })
				statetest.CheckContent(t, s, o.Ref, data)
				// The limit may be another one in a later run.
				statetest.CheckContent(t, Open(s.Place(), Options{InlineLimit: -1}), o.Ref, data)
				statetest.CheckContent(t, Open(s.Place(), Options{InlineLimit: 1 << 30}), o.Ref, data)
			})
		}
	}
	if n := len(objectFiles(t, s)); n != 3 {
		t.Errorf("%d files in the objects folder, want 3", n)
	}
}

func TestNothingInline(t *testing.T) {
	s := newStore(t)
	limited(s, -1)
	statetest.Lock(t, s)
	for _, data := range [][]byte{{}, {1}} {
		o := statetest.Write(t, s, data, 1)
		if !isBulky(s, o.Ref) {
			t.Error("kept inside")
		}
		statetest.CheckContent(t, s, o.Ref, data)
	}
}

// An object of several of the pieces in which it is read.
func TestReadAll(t *testing.T) {
	s := newStore(t)
	statetest.Lock(t, s)
	for _, n := range []int{atOnce, atOnce + 1, 3*atOnce - 1} {
		data := statetest.Random(n)
		statetest.CheckContent(t, s, statetest.Write(t, s, data, 1).Ref, data)
	}
}

func TestManyWritersAndReadersAtOnce(t *testing.T) {
	s := newStore(t)
	limited(s, 64)
	l := statetest.Lock(t, s)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			data := statetest.Random(i * 16 % 160) // several write the same content
			w := s.NewObject(t.Context())
			_, err := w.Write(data)
			if err != nil {
				t.Error(err)
				return
			}
			o, err := w.Close(t.Context())
			if err == nil {
				err = l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutObject(o) })
			}
			if err != nil {
				t.Error(err)
				return
			}
			statetest.CheckContent(t, s, o.Ref, data)
		})
	}
	wg.Wait()
	statetest.Load(t, s)
}

func TestMissingAndDamagedObjects(t *testing.T) {
	s := newStore(t)
	limited(s, 100)
	l := statetest.Lock(t, s)
	bulky, small := statetest.Write(t, s, statetest.Random(5000), 1), statetest.Write(t, s, statetest.Random(50), 1)
	statetest.Update(t, l, func(tx *state.Tx) error { return errors.Join(tx.PutObject(bulky), tx.PutObject(small)) })
	path := at(s).object(bulky.Ref.Digest)

	data := statetest.ReadFile(t, path)
	data[4000] ^= 4
	statetest.WriteFile(t, path, data)
	o, err := s.OpenObject(t.Context(), bulky.Ref)
	if err != nil {
		t.Fatal(err)
	}
	statetest.MustDamaged(t, s, o.Verify(t.Context()))
	if got, err := o.ReadAll(t.Context()); got != nil {
		t.Error("damaged bytes were handed out")
	} else {
		statetest.MustDamaged(t, s, err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	statetest.WriteFile(t, path, data[:4000])
	_, err = s.OpenObject(t.Context(), bulky.Ref)
	statetest.MustDamaged(t, s, err)

	wrong := small.Ref
	wrong.Size++
	_, err = s.OpenObject(t.Context(), wrong)
	statetest.MustDamaged(t, s, err)

	if err := os.RemoveAll(at(s).objects()); err != nil {
		t.Fatal(err)
	}
	_, err = s.OpenObject(t.Context(), bulky.Ref)
	if !errors.Is(err, state.ErrMissingObject) || !strings.Contains(err.Error(), bulky.Ref.Digest) || !strings.Contains(err.Error(), at(s).objects()) {
		t.Errorf("got %v", err)
	}
	statetest.CheckContent(t, s, small.Ref, statetest.Random(50))
	for _, digest := range []string{"", "ab", "../../etc/passwd", strings.Repeat("G", 64)} {
		if _, err := s.OpenObject(t.Context(), state.Ref{Digest: digest}); err == nil || errors.Is(err, state.ErrMissingObject) {
			t.Errorf("digest %q: %v", digest, err)
		}
	}
}

// A flipped bit anywhere never changes what a small object gives in silence.
func TestFlippedBitsUnderSmallObjects(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	var all []*state.Sealed
	for i := range 12 {
		all = append(all, statetest.Write(t, s, statetest.Random(1+i*700), 1))
	}
	statetest.Update(t, l, func(tx *state.Tx) error {
		for _, o := range all {
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		return nil
	})
	size := len(statetest.ReadFile(t, s.Place()))
	r := rand.New(rand.NewPCG(8, 8))
	found := 0
	for range 400 {
		at, bit := r.IntN(size), byte(1)<<r.IntN(8)
		flip(t, s, at, bit)
		for i, ref := range all {
			o, err := s.OpenObject(t.Context(), ref.Ref)
			if err != nil {
				statetest.MustDamaged(t, s, err)
				found++
				continue
			}
			got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
			if err != nil || !bytes.Equal(got, statetest.Random(1+i*700)) {
				t.Fatalf("byte %d: wrong data in silence (%v)", at, err)
			}
		}
		flip(t, s, at, bit)
	}
	if found < 100 {
		t.Errorf("damage was found %d times only", found)
	}
}

func TestObjectFailpoints(t *testing.T) {
	for _, spec := range []string{"object.write=error", "object.write=enospc", "object.rename=error"} {
		s := newStore(t)
		limited(s, 10)
		statetest.Lock(t, s)
		set, err := failpoint.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		w := s.NewObject(t.Context())
		if _, err := w.Write(statetest.Random(100)); err != nil {
			t.Fatal(err)
		}
		o, err := w.Close(failpoint.With(t.Context(), set))
		if o != nil || (!errors.Is(err, failpoint.ErrInjected) && !errors.Is(err, syscall.ENOSPC)) {
			t.Errorf("%s: got %v, %v", spec, o, err)
		}
		if left := objectFiles(t, s); len(left) > 0 {
			t.Errorf("%s: left %v", spec, left)
		}
	}
}

func TestAbort(t *testing.T) {
	s := newStore(t)
	statetest.Lock(t, s)
	for _, n := range []int{10, 100_000} {
		w := s.NewObject(t.Context())
		if _, err := w.Write(statetest.Random(n)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Abort(), w.Abort()); err != nil {
			t.Error(err)
		}
	}
	w := s.NewObject(t.Context())
	if _, err := w.Write(statetest.Random(100_000)); err != nil {
		t.Fatal(err)
	}
	o, err := w.Close(t.Context())
	if err = errors.Join(err, w.Abort()); err != nil {
		t.Fatal(err)
	}
	statetest.CheckContent(t, s, o.Ref, statetest.Random(100_000))
	if left := objectFiles(t, s); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

func TestCollect(t *testing.T) {
	s := newStore(t)
	limited(s, 100)
	l := statetest.Lock(t, s)
	var all []*state.Sealed
	for _, n := range []int{10, 20, 30, 1000, 2000, 3000} {
		all = append(all, statetest.Write(t, s, statetest.Random(n), 1))
	}
	statetest.Update(t, l, func(tx *state.Tx) error {
		for _, o := range all {
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		return nil
	})
	left := s.NewObject(t.Context())
	if _, err := left.Write(statetest.Random(500)); err != nil { // as a crash would leave it
		t.Fatal(err)
	}
	foreign := filepath.Join(at(s).objects(), "README")
	statetest.WriteFile(t, foreign, nil)
	keep := func(digest string) bool { return digest == all[1].Ref.Digest || digest == all[4].Ref.Digest }
	put := statetest.Write(t, s, statetest.Random(40), 1)
	collect := func(wantFiles int) {
		t.Helper()
		n, err := l.Collect(t.Context(), keep)
		if err != nil || n != wantFiles {
			t.Errorf("removed %d, %v; want %d", n, err, wantFiles)
		}
		snap, err := l.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		statetest.Update(t, l, func(tx *state.Tx) error {
			tx.CollectInline(snap.InlineBut(keep))
			return tx.PutObject(put)
		})
	}

	reader, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	collect(0)
	for _, o := range all { // nothing goes while somebody reads
		if o, err := s.OpenObject(t.Context(), o.Ref); err != nil {
			t.Error(err)
		} else if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(reader.Close(), reader.Close()); err != nil {
		t.Fatal(err)
	}
	collect(3)
	for i, o := range all {
		_, err := s.OpenObject(t.Context(), o.Ref)
		if kept := i == 1 || i == 4; kept != (err == nil) || (!kept && !errors.Is(err, state.ErrMissingObject)) {
			t.Errorf("object %d: kept %v, %v", i, kept, err)
		}
	}
	statetest.CheckContent(t, s, put.Ref, statetest.Random(40))
	if _, err := os.Stat(foreign); err != nil {
		t.Error("a foreign file was removed")
	}
	own, err := l.Load(t.Context()) // the holder's own snapshot is no reader
	if err != nil || own.Serial == 0 {
		t.Fatal(err)
	}
	collect(0)
	statetest.Load(t, s)
}

func TestCollectFailpoints(t *testing.T) {
	for spec, removed := range map[string]bool{"collect.before=error": false, "collect.after=error": true} {
		s := newStore(t)
		l := statetest.Lock(t, s)
		statetest.Write(t, s, statetest.Random(50_000), 1)
		set, err := failpoint.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Collect(failpoint.With(t.Context(), set), func(string) bool { return false })
		if !errors.Is(err, failpoint.ErrInjected) || (len(objectFiles(t, s)) == 0) != removed {
			t.Errorf("%s: %v, %d files left", spec, err, len(objectFiles(t, s)))
		}
	}
}

func TestCanceled(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	statetest.Fill(t, s, l)
	o := statetest.Write(t, s, statetest.Random(50_000), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	obj, err := s.OpenObject(t.Context(), o.Ref)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	_, collectErr := l.Collect(ctx, func(string) bool { return false })
	for what, err := range map[string]error{
		"update": l.Update(ctx, func(tx *state.Tx) error { return tx.DeleteHold(state.Hold{Table: "users", Dump: 7}) }),
		"verify": obj.Verify(ctx), "collect": collectErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if statetest.Load(t, s).Serial != 1 || len(objectFiles(t, s)) != 1 {
		t.Error("something was changed")
	}
}

func TestCompactLeavesNoPlainValues(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	if err := l.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ok, _ := at(s).exists(); ok {
		t.Error("compaction made a file")
	}
	statetest.Fill(t, s, l)
	secret := []byte("jane@example.org")
	statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutSetting("row", bytes.Repeat(secret, 3000)) })
	statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutSetting("row", []byte("masked")) })
	before := statetest.Load(t, s)
	if !bytes.Contains(statetest.ReadFile(t, s.Place()), secret) {
		t.Fatal("the test is void: free pages hold nothing")
	}
	set, err := failpoint.Parse("state.commit.before=error")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Compact(failpoint.With(t.Context(), set)); !errors.Is(err, failpoint.ErrInjected) {
		t.Fatal(err)
	}
	if _, err := os.Stat(at(s).newFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the copy was left behind")
	}
	if err := l.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(statetest.ReadFile(t, s.Place()), secret) {
		t.Error("the file still holds the plain value")
	}
	if d := statetest.Diff(before, statetest.Load(t, s)); d != "" {
		t.Error(d)
	}
	statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutSetting("row", []byte("again")) })
	if got := statetest.Load(t, s); got.Serial != before.Serial+1 || string(got.Settings["row"]) != "again" {
		t.Errorf("after a compaction and a transaction: serial %d, %q", got.Serial, got.Settings["row"])
	}
}
