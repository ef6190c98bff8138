package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/kv"
	"reconcile/state/internal/statefile"
	"reconcile/state/internal/statetest"
)

func TestNoFileIsAnEmptyState(t *testing.T) {
	s := newStore(t)
	snap := statetest.Load(t, s)
	if snap.Serial != 0 || snap.Lineage != "" || snap.Tables == nil || snap.Partitions == nil || snap.Dumps == nil || snap.Settings == nil {
		t.Errorf("got %+v", snap)
	}
	for range snap.Refs() {
		t.Error("an empty state names objects")
	}
	if ok, err := at(s).exists(); ok || err != nil {
		t.Errorf("Exists() = %v, %v", ok, err)
	}
	if _, err := os.Stat(filepath.Dir(s.Place())); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a reader made a folder")
	}
	var none *state.Snapshot
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

func TestEveryKindOfRecord(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	statetest.Fill(t, s, l)
	snap := statetest.Load(t, s)
	if snap.Serial != 1 || len(snap.Lineage) != 32 || snap.Program != "0.1.0" {
		t.Errorf("serial %d, lineage %q, program %q", snap.Serial, snap.Lineage, snap.Program)
	}
	small := state.Ref{Digest: statetest.DigestOf("a small object"), Size: 14}
	want := &state.Snapshot{
		Serial: 1, Lineage: snap.Lineage, Program: "0.1.0",
		Tables:     map[string]*state.Table{"pageviews": statetest.Table("pageviews", 1), "sessions": statetest.Table("sessions", 1)},
		Partitions: map[string][]*state.Partition{}, Settings: map[string][]byte{"note": {0, 1, 2}},
		Dumps: map[int64]*state.Dump{
			-5:   {ID: -5, Manifest: "manifests/sync_0.json", Digest: "x"},
			1234: {ID: 1234, Manifest: "manifests/sync_1234.json", Digest: "y"},
		},
		Mapping:   &state.Mapping{Dump: 1234, Digest: "m", Ref: small},
		Holds:     []state.Hold{{Table: "users", Dump: 7, File: "a.avro", Reason: "is cut"}},
		Publishes: []*state.Publish{{Table: "sessions", Commit: 1, Attempt: "a1", Steps: []state.Step{{Sink: "/lake", Path: "p"}}}},
	}
	for i := range uint32(20) {
		want.Partitions["pageviews"] = append(want.Partitions["pageviews"], statetest.Partition(i, 5))
		want.Partitions["sessions"] = append(want.Partitions["sessions"], statetest.Partition(i, 6))
	}
	if d := statetest.Diff(want, snap); d != "" {
		t.Error(d)
	}
	var refs []string
	for r := range snap.Refs() {
		refs = append(refs, r.Digest)
	}
	slices.Sort(refs)
	wantRefs := []string{small.Digest, statetest.DigestOf("pageviews"), statetest.DigestOf("sessions")}
	slices.Sort(wantRefs)
	if !slices.Equal(refs, wantRefs) {
		t.Errorf("Refs() gave %v, want %v", refs, wantRefs)
	}
	checkModes(t, s)
}

func checkModes(t *testing.T, s *state.Store) {
	t.Helper()
	for path, want := range map[string]fs.FileMode{s.Place(): 0o600, filepath.Dir(s.Place()): fs.ModeDir | 0o700, at(s).lock(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v (%v), want %v", path, info.Mode(), err, want)
		}
	}
}

func TestTransactionsAreWhole(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	statetest.Fill(t, s, l)
	before := statetest.Load(t, s)
	data := statetest.ReadFile(t, s.Place())

	own := errors.New("own")
	err := l.Update(t.Context(), func(tx *state.Tx) error {
		return errors.Join(tx.PutTable(statetest.Table("x", 2)), tx.DeleteTable("sessions"), own)
	})
	if !errors.Is(err, own) {
		t.Errorf("got %v, want the function's error", err)
	}
	for _, same := range []func(*state.Tx) error{
		func(*state.Tx) error { return nil },
		func(tx *state.Tx) error { return tx.PutTable(statetest.Table("sessions", 1)) },
		func(tx *state.Tx) error { return tx.DeleteHold(state.Hold{Table: "nobody", Dump: 1}) },
		func(tx *state.Tx) error {
			tx.DeletePartitions("sessions")
			var errs []error
			for i := range uint32(20) {
				errs = append(errs, tx.PutPartition("sessions", statetest.Partition(i, 6)))
			}
			return errors.Join(errs...)
		},
		func(tx *state.Tx) error {
			tx.CollectInline(statetest.Load(t, s).InlineBut(func(string) bool { return true }))
			return nil
		},
	} {
		statetest.Update(t, l, same)
	}
	if !bytes.Equal(statetest.ReadFile(t, s.Place()), data) {
		t.Error("a transaction that failed or changed nothing wrote the file")
	}
	if d := statetest.Diff(before, statetest.Load(t, s)); d != "" {
		t.Error(d)
	}
}

func TestAnEmptyTransactionMakesNoFile(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	statetest.Update(t, l, func(tx *state.Tx) error { return tx.DeleteTable("none") })
	if ok, err := at(s).exists(); ok || err != nil {
		t.Errorf("Exists() = %v, %v", ok, err)
	}
	if _, err := os.Stat(at(s).newFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a temporary file was left")
	}
}

func TestNames(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	for what, fn := range map[string]func(*state.Tx) error{
		"table":     func(tx *state.Tx) error { return tx.PutTable(&state.Table{}) },
		"delete":    func(tx *state.Tx) error { return tx.DeleteTable("") },
		"partition": func(tx *state.Tx) error { return tx.PutPartition("", statetest.Partition(1, 1)) },
		"long":      func(tx *state.Tx) error { return tx.PutTable(&state.Table{Name: strings.Repeat("x", kv.MaxKey+1)}) },
	} {
		if err := l.Update(t.Context(), fn); err == nil {
			t.Errorf("%s: a record with a bad name was taken", what)
		}
	}
	// Any bytes are a name, and none is the beginning of another.
	names := []string{"a", "a\x00", "a\x00\x00\x00\x00\x01", "\xff\xfe", strings.Repeat("n", 300)}
	statetest.Update(t, l, func(tx *state.Tx) error {
		var errs []error
		for i, n := range names {
			errs = append(errs, tx.PutTable(&state.Table{Name: n}), tx.PutPartition(n, statetest.Partition(uint32(i), 1)))
		}
		return errors.Join(errs...)
	})
	statetest.Update(t, l, func(tx *state.Tx) error { return tx.DeleteTable("a") })
	snap := statetest.Load(t, s)
	for i, n := range names {
		if _, ok := snap.Tables[n]; ok != (n != "a") || (ok && (len(snap.Partitions[n]) != 1 || snap.Partitions[n][0].Ordinal != uint32(i))) {
			t.Errorf("table %q: there %v, partitions %v", n, ok, snap.Partitions[n])
		}
	}
}

// What the codec refuses to read back would be a state lost.
func TestLongListsReadBack(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	p := &state.Publish{Table: "t", Steps: make([]state.Step, 200_000)}
	statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutPublish(p) })
	if got := statetest.Load(t, s).Publishes; len(got) != 1 || len(got[0].Steps) != len(p.Steps) {
		t.Error("the list did not come back whole")
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	statetest.Fill(t, s, l)
	rewriteMeta(t, s, func(m *statefile.Meta) any {
		return map[int]any{1: 7, 2: "9.9.0", 3: []int{1}, 4: "another meaning"}
	})
	data := statetest.ReadFile(t, s.Place())
	check := func(err error) {
		t.Helper()
		var v *state.VersionError
		if !errors.Is(err, state.ErrNewer) || !errors.As(err, &v) || v.Found != 7 || v.Supported != kv.FormatVersion {
			t.Fatalf("got %v, want a *VersionError", err)
		}
		for _, part := range []string{s.Place(), "format 7", "9.9.0", "0.1.0", fmt.Sprint("format ", kv.FormatVersion)} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %s", err, part)
			}
		}
	}
	_, err := s.Load(t.Context())
	check(err)
	check(l.Update(t.Context(), func(tx *state.Tx) error { return tx.DeleteHold(state.Hold{Table: "users", Dump: 7}) }))
	check(l.Compact(t.Context()))
	if !bytes.Equal(data, statetest.ReadFile(t, s.Place())) {
		t.Error("the file was written")
	}
}

// A record may get fields that this program does not know.
func TestUnknownFieldsAreIgnored(t *testing.T) {
	payload, err := kv.Encode(map[int]any{1: 3, 99: "new", 4: 8})
	if err != nil {
		t.Fatal(err)
	}
	mode, err := kv.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	var p state.Partition
	if err := mode.Unmarshal(payload, &p); err != nil || p.Ordinal != 3 || p.Rows != 8 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestNotARegularFile(t *testing.T) {
	for what, make := range map[string]func(path string) error{
		"folder":        func(p string) error { return os.Mkdir(p, 0o700) },
		"symbolic link": func(p string) error { return os.Symlink("elsewhere", p) },
	} {
		s := Open(filepath.Join(t.TempDir(), "state.db"), Options{})
		if err := make(s.Place()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context()); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("Load of a %s: %v", what, err)
		}
		if _, err := s.Lock(t.Context(), state.Holder{}, 0); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("Lock of a %s: %v", what, err)
		}
	}
}

// Random transactions give what a map gives, whether the file is loaded by the
// same store or another, compacted or not.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 9))
		s := newStore(t)
		l := statetest.Lock(t, s)
		model := &state.Snapshot{Program: "0.1.0", Tables: map[string]*state.Table{}, Partitions: map[string][]*state.Partition{},
			Dumps: map[int64]*state.Dump{}, Settings: map[string][]byte{}}
		for i := range 40 {
			statetest.Update(t, l, func(tx *state.Tx) error {
				var errs []error
				for range 1 + r.IntN(60) {
					errs = append(errs, statetest.RandomOp(tx, r, model))
				}
				errs = append(errs, tx.PutSetting("step", []byte{byte(i)})) // a change for sure
				model.Settings["step"] = []byte{byte(i)}
				model.Serial, model.Lineage = tx.Serial(), tx.Lineage()
				return errors.Join(errs...)
			})
			if r.IntN(10) == 0 {
				if err := l.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			again := Open(s.Place(), Options{})
			if d := statetest.Diff(model, statetest.Load(t, again)); d != "" {
				t.Fatalf("seed %d, transaction %d: %s", seed, i, d)
			}
		}
		if model.Serial != 40 {
			t.Errorf("seed %d: serial %d after 40 transactions", seed, model.Serial)
		}
	}
}

func TestFailpointsOfACommit(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		for spec, committed := range map[string]bool{
			"state.commit.before=error": false, "state.commit.before=enospc": false,
			"state.commit.after=error": true, "state.commit.after=enospc": true,
		} {
			t.Run(fmt.Sprintf("%s,fresh=%v", spec, fresh), func(t *testing.T) {
				s := newStore(t)
				l := statetest.Lock(t, s)
				if !fresh {
					statetest.Fill(t, s, l)
				}
				before := statetest.Load(t, s)
				set, err := failpoint.Parse(spec)
				if err != nil {
					t.Fatal(err)
				}
				err = l.Update(failpoint.With(t.Context(), set), func(tx *state.Tx) error { return tx.PutTable(statetest.Table("new", 1)) })
				if !errors.Is(err, failpoint.ErrInjected) && !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("got %v", err)
				}
				after := statetest.Load(t, s)
				if _, there := after.Tables["new"]; there != committed || (after.Serial > before.Serial) != committed {
					t.Errorf("there: %v, serial %d after %d; want committed: %v", there, after.Serial, before.Serial, committed)
				}
				statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutTable(statetest.Table("next", 1)) })
				if statetest.Load(t, s).Tables["next"] == nil {
					t.Error("the next transaction was lost")
				}
			})
		}
	}
}

func TestUnlockedAndStolenLocksDoNotWrite(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	if err := os.Remove(at(s).lock()); err != nil {
		t.Fatal(err)
	}
	put := func(tx *state.Tx) error { return tx.PutTable(statetest.Table("t", 1)) }
	if err := l.Update(t.Context(), put); err == nil || !strings.Contains(err.Error(), "removed") {
		t.Errorf("update under a lock file that is gone: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"update": l.Update(t.Context(), put), "compact": l.Compact(t.Context()), "unlock again": l.Unlock(),
	} {
		if (err == nil) != (what == "unlock again") {
			t.Errorf("%s after Unlock: %v", what, err)
		}
	}
	if _, err := l.Collect(t.Context(), func(string) bool { return false }); err == nil {
		t.Error("collected after Unlock")
	}
	if len(statetest.Load(t, s).Tables) > 0 {
		t.Error("something was written")
	}
}
