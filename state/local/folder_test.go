package local

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// put commits objects of so many random bytes, the first of which the mapping
// names.
func put(t testing.TB, s *state.Store, sizes ...int) []state.Ref {
	t.Helper()
	l := statetest.Lock(t, s)
	refs := putLocked(t, l, sizes...)
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	return refs
}

func putLocked(t testing.TB, l *state.Lock, sizes ...int) []state.Ref {
	t.Helper()
	var all []*state.Sealed
	var refs []state.Ref
	for _, n := range sizes {
		o := statetest.Write(t, storeOf(l), statetest.Random(n), 1)
		all, refs = append(all, o), append(refs, o.Ref)
	}
	statetest.Update(t, l, func(tx *state.Tx) error {
		errs := []error{tx.SetMapping(&state.Mapping{Dump: 1, Ref: refs[0]})}
		for _, o := range all {
			errs = append(errs, tx.PutObject(o))
		}
		return errors.Join(errs...)
	})
	return refs
}

func collect(t testing.TB, s *state.Store, keep ...state.Ref) error {
	t.Helper()
	l := statetest.Lock(t, s)
	_, err := l.Collect(t.Context(), func(digest string) bool {
		return slices.ContainsFunc(keep, func(r state.Ref) bool { return r.Digest == digest })
	})
	return errors.Join(err, l.Unlock())
}

func bulky(path string) *state.Store { return Open(path, Options{InlineLimit: 100}) }

// markerOf returns what the marker of a state's folder says.
func markerOf(t testing.TB, s *state.Store) string {
	t.Helper()
	return string(statetest.ReadFile(t, filepath.Join(at(s).objects(), markerName)))
}

func TestStatesInOneFolderKeepTheirObjects(t *testing.T) {
	dir := t.TempDir()
	prod, dev := bulky(filepath.Join(dir, "prod.db")), bulky(filepath.Join(dir, "dev.db"))
	first := put(t, prod, 1000, 2000)
	other := put(t, dev, 2000, 3000) // one content is that of both
	if err := errors.Join(collect(t, dev, other...), collect(t, prod, first...), collect(t, dev, other...)); err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{1000, 2000} {
		statetest.CheckContent(t, prod, first[i], statetest.Random(n))
	}
	for i, n := range []int{2000, 3000} {
		statetest.CheckContent(t, dev, other[i], statetest.Random(n))
	}
	if err := collect(t, prod); err != nil {
		t.Fatal(err)
	}
	statetest.CheckContent(t, dev, other[0], statetest.Random(2000))
	if _, err := prod.OpenObject(t.Context(), first[1]); !errors.Is(err, state.ErrMissingObject) {
		t.Errorf("collected in the state's own folder: %v", err)
	}
}

func TestNamesThatBelongToAnotherState(t *testing.T) {
	for _, name := range []string{"a.lock", "a.readers", "a.NEW", "a.db.objects"} {
		s := Open(filepath.Join(t.TempDir(), name), Options{})
		if _, err := s.Lock(t.Context(), state.NewHolder("apply"), 0); err == nil || !strings.Contains(err.Error(), "choose another") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Load(t.Context()); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

func TestMarkerOfANewState(t *testing.T) {
	s := bulky(filepath.Join(t.TempDir(), "state.db"))
	l := statetest.Lock(t, s)
	statetest.Write(t, s, statetest.Random(1000), 1)
	begun := markerOf(t, s)
	if !strings.HasSuffix(begun, " begun\n") {
		t.Fatalf("before the first transaction the marker says %q", begun)
	}
	if err := l.Unlock(); err != nil { // the apply ends here
		t.Fatal(err)
	}
	if err := collect(t, s); err != nil || len(objectFiles(t, s)) != 0 {
		t.Fatalf("what it left: %v, %v", objectFiles(t, s), err)
	}
	put(t, s, 2000)
	lineage := statetest.Load(t, s).Lineage
	if got := markerOf(t, s); got != lineage+"\n" || !strings.HasPrefix(begun, lineage) {
		t.Errorf("the marker says %q, before %q; the state is of lineage %s", got, begun, lineage)
	}
}

// The state is made by a transaction of small objects only after an apply that
// ended before its first transaction had marked the folder.
func TestMarkerOfAnEarlierAttempt(t *testing.T) {
	s := bulky(filepath.Join(t.TempDir(), "state.db"))
	l := statetest.Lock(t, s)
	statetest.Write(t, s, statetest.Random(1000), 1)
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	put(t, s, 10)
	if got, want := markerOf(t, s), statetest.Load(t, s).Lineage+"\n"; got != want {
		t.Errorf("the marker says %q, want %q", got, want)
	}
}

func TestInterruptedMarkers(t *testing.T) {
	for _, spec := range []string{"objects.mark=error", "objects.mark=error@2", "state.commit.after=error"} {
		t.Run(spec, func(t *testing.T) {
			s := bulky(filepath.Join(t.TempDir(), "state.db"))
			l := statetest.Lock(t, s)
			set, err := failpoint.Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			ctx := failpoint.With(t.Context(), set)
			w := s.NewObject(ctx)
			_, err = w.Write(statetest.Random(1000))
			if err == nil {
				if _, err = w.Close(ctx); err == nil {
					err = l.Update(ctx, func(tx *state.Tx) error { return tx.PutSetting("a", nil) })
				}
			}
			if !errors.Is(err, failpoint.ErrInjected) {
				t.Fatal(err)
			}
			if err := l.Unlock(); err != nil {
				t.Fatal(err)
			}
			again := bulky(s.Place())
			if err := collect(t, again); err != nil {
				t.Fatal(err)
			}
			ref := put(t, again, 1000)[0]
			statetest.CheckContent(t, again, ref, statetest.Random(1000))
			if got, want := markerOf(t, again), statetest.Load(t, again).Lineage+"\n"; got != want {
				t.Errorf("the marker says %q, want %q", got, want)
			}
		})
	}
}

func TestFoldersOfOtherStates(t *testing.T) {
	const other = "0123456789abcdef0123456789abcdef"
	tests := map[string]struct {
		marker string // "-" for none
		born   bool
		want   []string // in the error; none means that the folder is taken
	}{
		"begun anew beside old objects":         {other + "\n", false, []string{other, "there is no state", "move the folder aside to begin"}},
		"another state was put here":            {other + "\n", true, []string{other, "of lineage LINEAGE", "move the folder aside"}},
		"another one that had not been made":    {other + " begun\n", true, []string{other, "of lineage LINEAGE"}},
		"no marker":                             {"-", true, []string{"to which state", "write that one's lineage, LINEAGE, into the file"}},
		"no marker and no state":                {"-", false, []string{"move the folder aside to begin"}},
		"a damaged marker":                      {"0123\n", true, []string{"is damaged", "LINEAGE"}},
		"an empty marker":                       {"", true, []string{"is damaged", "LINEAGE"}},
		"a damaged marker and no state":         {other + " begin\n", false, []string{"is damaged", "move the folder aside to begin"}},
		"an apply ended before the transaction": {other + " begun\n", false, nil},
		"the marker was written by hand":        {"LINEAGE", true, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := bulky(filepath.Join(t.TempDir(), "state.db"))
			lineage := ""
			if tt.born {
				put(t, s, 1000)
				lineage = statetest.Load(t, s).Lineage
			} else {
				statetest.Write(t, s, statetest.Random(1000), 1)
			}
			path := filepath.Join(at(s).objects(), markerName)
			if tt.marker == "-" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				statetest.WriteFile(t, path, []byte(strings.Replace(tt.marker, "LINEAGE", lineage, 1)))
			}
			s = bulky(s.Place())
			checkErr := s.CheckObjects(statetest.Load(t, s))
			l := statetest.Lock(t, s)
			_, collectErr := l.Collect(t.Context(), func(string) bool { return tt.born })
			w := s.NewObject(t.Context())
			_, writeErr := w.Write(statetest.Random(3000))
			for what, err := range map[string]error{"check": checkErr, "collect": collectErr, "write": writeErr} {
				if (err == nil) != (tt.want == nil) {
					t.Errorf("%s: %v", what, err)
				}
				for _, text := range append(tt.want, at(s).objects()) {
					if text = strings.Replace(text, "LINEAGE", lineage, 1); err != nil && !strings.Contains(err.Error(), text) {
						t.Errorf("%s: %v does not say %q", what, err, text)
					}
				}
			}
			if tt.want != nil && len(objectFiles(t, s)) != 1 {
				t.Errorf("the folder now holds %v", objectFiles(t, s))
			}
		})
	}
}

// moveToShared makes the folder of a state one of the version before.
func moveToShared(t testing.TB, s *state.Store) {
	t.Helper()
	if err := errors.Join(os.Rename(at(s).objects(), at(s).shared()), os.Remove(filepath.Join(at(s).shared(), markerName))); err != nil {
		t.Fatal(err)
	}
}

func TestFolderOfAnEarlierVersion(t *testing.T) {
	s := bulky(filepath.Join(t.TempDir(), "state.db"))
	refs := put(t, s, 1000, 2000, 3000, 4000)
	moveToShared(t, s)
	damaged := objectIn(at(s).shared(), refs[3].Digest)
	statetest.WriteFile(t, damaged, bytes.Repeat([]byte{1}, 4000))
	s = bulky(s.Place())
	statetest.CheckContent(t, s, refs[0], statetest.Random(1000))
	if err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	statetest.CheckContent(t, s, refs[0], statetest.Random(1000))

	l := statetest.Lock(t, s)
	if err := l.Adopt(t.Context(), slices.Values([]state.Ref{refs[0], refs[1], refs[3], {Digest: strings.Repeat("0", 64), Size: 5}})); err != nil {
		t.Fatal(err)
	}
	if got := objectFiles(t, s); len(got) != 2 {
		t.Errorf("copied %v, want the two that are good", got)
	}
	for _, ref := range refs {
		if _, err := os.Stat(objectIn(at(s).shared(), ref.Digest)); err != nil {
			t.Error(err)
		}
	}
	statetest.CheckContent(t, s, refs[2], statetest.Random(3000))
	if err := os.RemoveAll(at(s).shared()); err != nil {
		t.Fatal(err)
	}
	statetest.CheckContent(t, s, refs[1], statetest.Random(2000))
}

// A state file that was copied or renamed without its objects says where they are.
func TestObjectsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	was, is := bulky(filepath.Join(dir, "[a]*.db")), bulky(filepath.Join(dir, "b.db"))
	ref := put(t, was, 1000)[0]
	statetest.WriteFile(t, is.Place(), statetest.ReadFile(t, was.Place()))
	_, err := is.OpenObject(t.Context(), ref)
	if !errors.Is(err, state.ErrMissingObject) {
		t.Fatal(err)
	}
	for _, text := range []string{at(is).objects(), "copied without that folder", "are in " + at(was).objects()} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
	if err := os.CopyFS(at(is).objects(), os.DirFS(at(was).objects())); err != nil {
		t.Fatal(err)
	}
	statetest.CheckContent(t, is, ref, statetest.Random(1000))
	if err := collect(t, is, ref); err != nil {
		t.Error(err)
	}
}

// What was read of a damaged object is an error of that object.
func TestErrorsOfObjects(t *testing.T) {
	s := bulky(filepath.Join(t.TempDir(), "state.db"))
	ref := put(t, s, 1000)[0]
	o, err := s.OpenObject(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	var bad *state.ObjectError
	if err := o.Damaged(io.ErrUnexpectedEOF); !errors.As(err, &bad) || bad.Ref != ref || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, state.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if err := o.Damaged(t.Context().Err()); err != nil {
		t.Error(err)
	}
}
