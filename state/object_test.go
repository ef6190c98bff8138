package state

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
)

func write(t testing.TB, s *Store, data []byte, pieces int) *Sealed {
	t.Helper()
	w := s.NewObject(t.Context())
	for len(data) > 0 || pieces > 0 {
		n := min(len(data), len(data)/max(pieces, 1)+1)
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
		pieces--
	}
	o, err := w.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	r.Read(b)
	return b
}

func files(t testing.TB, s *Store) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(s.file().ObjectsDir(), func(path string, d fs.DirEntry, err error) error {
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
	s.file().opts.InlineLimit = 1000
	l := lock(t, s)
	for _, size := range []int{0, 1, 999, 1000, 1001, 5000, 300_000} {
		for _, pieces := range []int{1, 7} {
			t.Run(fmt.Sprintf("%d in %d", size, pieces), func(t *testing.T) {
				data := random(size)
				o := write(t, s, data, pieces)
				if want := digestOf(string(data)); o.Ref.Digest != want || o.Ref.Size != int64(size) {
					t.Fatalf("got %+v, want the digest %s", o.Ref, want)
				}
				if bulky := o.payload == nil; bulky != (size > 1000) {
					t.Errorf("in a file: %v", bulky)
				}
				update(t, l, func(tx *Tx) error { return tx.PutObject(o) })
				checkContent(t, s, o.Ref, data)
				// The limit may be another one in a later run.
				checkContent(t, Open(s.Place(), Options{InlineLimit: -1}), o.Ref, data)
				checkContent(t, Open(s.Place(), Options{InlineLimit: 1 << 30}), o.Ref, data)
			})
		}
	}
	if n := len(files(t, s)); n != 3 {
		t.Errorf("%d files in the objects folder, want 3", n)
	}
}

func TestNothingInline(t *testing.T) {
	s := newStore(t)
	s.file().opts.InlineLimit = -1
	lock(t, s)
	for _, data := range [][]byte{{}, {1}} {
		o := write(t, s, data, 1)
		if o.payload != nil {
			t.Error("kept inside")
		}
		checkContent(t, s, o.Ref, data)
	}
}

func checkContent(t *testing.T, s *Store, ref Ref, want []byte) {
	t.Helper()
	o, err := s.OpenObject(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := o.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil || !bytes.Equal(got, want) || o.Ref() != ref {
		t.Errorf("read %d bytes of %d, %v", len(got), len(want), err)
	}
	if got, err := o.ReadAll(t.Context()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes of %d at once, %v", len(got), len(want), err)
	}
}

// An object of several of the pieces in which it is read.
func TestReadAll(t *testing.T) {
	s := newStore(t)
	lock(t, s)
	for _, n := range []int{verifyAtOnce, verifyAtOnce + 1, 3*verifyAtOnce - 1} {
		data := random(n)
		checkContent(t, s, write(t, s, data, 1).Ref, data)
	}
}

func TestManyWritersAndReadersAtOnce(t *testing.T) {
	s := newStore(t)
	s.file().opts.InlineLimit = 64
	l := lock(t, s)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			data := random(i * 16 % 160) // several write the same content
			w := s.NewObject(t.Context())
			_, err := w.Write(data)
			if err != nil {
				t.Error(err)
				return
			}
			o, err := w.Close(t.Context())
			if err == nil {
				err = l.Update(t.Context(), func(tx *Tx) error { return tx.PutObject(o) })
			}
			if err != nil {
				t.Error(err)
				return
			}
			checkContent(t, s, o.Ref, data)
		})
	}
	wg.Wait()
	load(t, s)
}

func TestMissingAndDamagedObjects(t *testing.T) {
	s := newStore(t)
	s.file().opts.InlineLimit = 100
	l := lock(t, s)
	bulky, small := write(t, s, random(5000), 1), write(t, s, random(50), 1)
	update(t, l, func(tx *Tx) error { return errors.Join(tx.PutObject(bulky), tx.PutObject(small)) })
	path := s.file().objectPath(bulky.Ref.Digest)

	data := readFile(t, path)
	data[4000] ^= 4
	writeFile(t, path, data)
	o, err := s.OpenObject(t.Context(), bulky.Ref)
	if err != nil {
		t.Fatal(err)
	}
	mustDamaged(t, s, o.Verify(t.Context()))
	if got, err := o.ReadAll(t.Context()); got != nil {
		t.Error("damaged bytes were handed out")
	} else {
		mustDamaged(t, s, err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	writeFile(t, path, data[:4000])
	_, err = s.OpenObject(t.Context(), bulky.Ref)
	mustDamaged(t, s, err)

	wrong := small.Ref
	wrong.Size++
	_, err = s.OpenObject(t.Context(), wrong)
	mustDamaged(t, s, err)

	if err := os.RemoveAll(s.file().ObjectsDir()); err != nil {
		t.Fatal(err)
	}
	_, err = s.OpenObject(t.Context(), bulky.Ref)
	if !errors.Is(err, ErrMissingObject) || !strings.Contains(err.Error(), bulky.Ref.Digest) || !strings.Contains(err.Error(), s.file().ObjectsDir()) {
		t.Errorf("got %v", err)
	}
	checkContent(t, s, small.Ref, random(50))
	for _, digest := range []string{"", "ab", "../../etc/passwd", strings.Repeat("G", 64)} {
		if _, err := s.OpenObject(t.Context(), Ref{Digest: digest}); err == nil || errors.Is(err, ErrMissingObject) {
			t.Errorf("digest %q: %v", digest, err)
		}
	}
}

// A flipped bit anywhere never changes what a small object gives in silence.
func TestFlippedBitsUnderSmallObjects(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	var all []*Sealed
	for i := range 12 {
		all = append(all, write(t, s, random(1+i*700), 1))
	}
	update(t, l, func(tx *Tx) error {
		for _, o := range all {
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		return nil
	})
	size := len(readFile(t, s.Place()))
	r := rand.New(rand.NewPCG(8, 8))
	found := 0
	for range 400 {
		at, bit := r.IntN(size), byte(1)<<r.IntN(8)
		flip(t, s, at, bit)
		for i, ref := range all {
			o, err := s.OpenObject(t.Context(), ref.Ref)
			if err != nil {
				mustDamaged(t, s, err)
				found++
				continue
			}
			got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
			if err != nil || !bytes.Equal(got, random(1+i*700)) {
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
		s.file().opts.InlineLimit = 10
		lock(t, s)
		set, err := failpoint.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		w := s.NewObject(t.Context())
		if _, err := w.Write(random(100)); err != nil {
			t.Fatal(err)
		}
		o, err := w.Close(failpoint.With(t.Context(), set))
		if o != nil || (!errors.Is(err, failpoint.ErrInjected) && !errors.Is(err, syscall.ENOSPC)) {
			t.Errorf("%s: got %v, %v", spec, o, err)
		}
		if left := files(t, s); len(left) > 0 {
			t.Errorf("%s: left %v", spec, left)
		}
	}
}

func TestAbort(t *testing.T) {
	s := newStore(t)
	lock(t, s)
	for _, n := range []int{10, 100_000} {
		w := s.NewObject(t.Context())
		if _, err := w.Write(random(n)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Abort(), w.Abort()); err != nil {
			t.Error(err)
		}
	}
	w := s.NewObject(t.Context())
	if _, err := w.Write(random(100_000)); err != nil {
		t.Fatal(err)
	}
	o, err := w.Close(t.Context())
	if err = errors.Join(err, w.Abort()); err != nil {
		t.Fatal(err)
	}
	checkContent(t, s, o.Ref, random(100_000))
	if left := files(t, s); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

func TestCollect(t *testing.T) {
	s := newStore(t)
	s.file().opts.InlineLimit = 100
	l := lock(t, s)
	var all []*Sealed
	for _, n := range []int{10, 20, 30, 1000, 2000, 3000} {
		all = append(all, write(t, s, random(n), 1))
	}
	update(t, l, func(tx *Tx) error {
		for _, o := range all {
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		return nil
	})
	left := s.NewObject(t.Context())
	if _, err := left.Write(random(500)); err != nil { // as a crash would leave it
		t.Fatal(err)
	}
	foreign := filepath.Join(s.file().ObjectsDir(), "README")
	writeFile(t, foreign, nil)
	keep := func(digest string) bool { return digest == all[1].Ref.Digest || digest == all[4].Ref.Digest }
	put := write(t, s, random(40), 1)
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
		update(t, l, func(tx *Tx) error {
			tx.CollectInline(snap, keep)
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
		if kept := i == 1 || i == 4; kept != (err == nil) || (!kept && !errors.Is(err, ErrMissingObject)) {
			t.Errorf("object %d: kept %v, %v", i, kept, err)
		}
	}
	checkContent(t, s, put.Ref, random(40))
	if _, err := os.Stat(foreign); err != nil {
		t.Error("a foreign file was removed")
	}
	own, err := l.Load(t.Context()) // the holder's own snapshot is no reader
	if err != nil || own.Serial == 0 {
		t.Fatal(err)
	}
	collect(0)
	load(t, s)
}

func TestCollectFailpoints(t *testing.T) {
	for spec, removed := range map[string]bool{"collect.before=error": false, "collect.after=error": true} {
		s := newStore(t)
		l := lock(t, s)
		write(t, s, random(50_000), 1)
		set, err := failpoint.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Collect(failpoint.With(t.Context(), set), func(string) bool { return false })
		if !errors.Is(err, failpoint.ErrInjected) || (len(files(t, s)) == 0) != removed {
			t.Errorf("%s: %v, %d files left", spec, err, len(files(t, s)))
		}
	}
}

func TestCanceled(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	fill(t, l)
	o := write(t, s, random(50_000), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	obj, err := s.OpenObject(t.Context(), o.Ref)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	_, collectErr := l.Collect(ctx, func(string) bool { return false })
	for what, err := range map[string]error{
		"update": l.Update(ctx, func(tx *Tx) error { return tx.DeleteHold(Hold{Table: "users", Dump: 7}) }),
		"verify": obj.Verify(ctx), "collect": collectErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if load(t, s).Serial != 1 || len(files(t, s)) != 1 {
		t.Error("something was changed")
	}
}

func TestCompactLeavesNoPlainValues(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	if err := l.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ok, _ := s.file().Exists(); ok {
		t.Error("compaction made a file")
	}
	fill(t, l)
	secret := []byte("jane@example.org")
	update(t, l, func(tx *Tx) error { return tx.PutSetting("row", bytes.Repeat(secret, 3000)) })
	update(t, l, func(tx *Tx) error { return tx.PutSetting("row", []byte("masked")) })
	before := load(t, s)
	if !bytes.Contains(readFile(t, s.Place()), secret) {
		t.Fatal("the test is void: free pages hold nothing")
	}
	set, err := failpoint.Parse("state.commit.before=error")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Compact(failpoint.With(t.Context(), set)); !errors.Is(err, failpoint.ErrInjected) {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.file().newPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the copy was left behind")
	}
	if err := l.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(readFile(t, s.Place()), secret) {
		t.Error("the file still holds the plain value")
	}
	if d := diff(before, load(t, s)); d != "" {
		t.Error(d)
	}
	update(t, l, func(tx *Tx) error { return tx.PutSetting("row", []byte("again")) })
	if got := load(t, s); got.Serial != before.Serial+1 || string(got.Settings["row"]) != "again" {
		t.Errorf("after a compaction and a transaction: serial %d, %q", got.Serial, got.Settings["row"])
	}
}
