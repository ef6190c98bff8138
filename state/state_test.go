package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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
)

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestNoFileIsAnEmptyState(t *testing.T) {
	s := newStore(t)
	snap := load(t, s)
	if snap.Serial != 0 || snap.Lineage != "" || snap.Tables == nil || snap.Partitions == nil || snap.Dumps == nil || snap.Settings == nil {
		t.Errorf("got %+v", snap)
	}
	for range snap.Refs() {
		t.Error("an empty state names objects")
	}
	if ok, err := s.file().Exists(); ok || err != nil {
		t.Errorf("Exists() = %v, %v", ok, err)
	}
	if _, err := os.Stat(filepath.Dir(s.Place())); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a reader made a folder")
	}
	var none *Snapshot
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

func TestEveryKindOfRecord(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	fill(t, l)
	snap := load(t, s)
	if snap.Serial != 1 || len(snap.Lineage) != 32 || snap.Program != "0.1.0" {
		t.Errorf("serial %d, lineage %q, program %q", snap.Serial, snap.Lineage, snap.Program)
	}
	small := Ref{Digest: digestOf("a small object"), Size: 14}
	want := &Snapshot{
		Serial: 1, Lineage: snap.Lineage, Program: "0.1.0",
		Tables:     map[string]*Table{"pageviews": table("pageviews", 1), "sessions": table("sessions", 1)},
		Partitions: map[string][]*Partition{}, Settings: map[string][]byte{"note": {0, 1, 2}},
		Dumps: map[int64]*Dump{
			-5:   {ID: -5, Manifest: "manifests/sync_0.json", Digest: "x", Tables: []string{"pageviews"}},
			1234: {ID: 1234, Manifest: "manifests/sync_1234.json", Digest: "y"},
		},
		Mapping:   &Mapping{Dump: 1234, Digest: "m", Ref: small},
		Holds:     []Hold{{Table: "users", Dump: 7, File: "a.avro", Reason: "is cut"}},
		Publishes: []*Publish{{Table: "sessions", Commit: 1, Attempt: "a1", Steps: []Step{{Sink: "/lake", Path: "p"}}}},
	}
	for i := range uint32(20) {
		want.Partitions["pageviews"] = append(want.Partitions["pageviews"], partition(i, 5))
		want.Partitions["sessions"] = append(want.Partitions["sessions"], partition(i, 6))
	}
	if d := diff(want, snap); d != "" {
		t.Error(d)
	}
	var refs []string
	for r := range snap.Refs() {
		refs = append(refs, r.Digest)
	}
	slices.Sort(refs)
	wantRefs := []string{small.Digest, digestOf("pageviews"), digestOf("sessions")}
	slices.Sort(wantRefs)
	if !slices.Equal(refs, wantRefs) {
		t.Errorf("Refs() gave %v, want %v", refs, wantRefs)
	}
	checkModes(t, s)
}

func checkModes(t *testing.T, s *Store) {
	t.Helper()
	for path, want := range map[string]fs.FileMode{s.Place(): 0o600, filepath.Dir(s.Place()): fs.ModeDir | 0o700, s.file().lockPath(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v (%v), want %v", path, info.Mode(), err, want)
		}
	}
}

func TestTransactionsAreWhole(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	fill(t, l)
	before := load(t, s)
	data := readFile(t, s.Place())

	own := errors.New("own")
	err := l.Update(t.Context(), func(tx *Tx) error {
		return errors.Join(tx.PutTable(table("x", 2)), tx.DeleteTable("sessions"), own)
	})
	if !errors.Is(err, own) {
		t.Errorf("got %v, want the function's error", err)
	}
	for _, same := range []func(*Tx) error{
		func(*Tx) error { return nil },
		func(tx *Tx) error { return tx.PutTable(table("sessions", 1)) },
		func(tx *Tx) error { return tx.DeleteHold(Hold{Table: "nobody", Dump: 1}) },
		func(tx *Tx) error {
			tx.DeletePartitions("sessions")
			var errs []error
			for i := range uint32(20) {
				errs = append(errs, tx.PutPartition("sessions", partition(i, 6)))
			}
			return errors.Join(errs...)
		},
		func(tx *Tx) error { tx.CollectInline(load(t, s), func(string) bool { return true }); return nil },
	} {
		update(t, l, same)
	}
	if !bytes.Equal(readFile(t, s.Place()), data) {
		t.Error("a transaction that failed or changed nothing wrote the file")
	}
	if d := diff(before, load(t, s)); d != "" {
		t.Error(d)
	}
}

func TestAnEmptyTransactionMakesNoFile(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	update(t, l, func(tx *Tx) error { return tx.DeleteTable("none") })
	if ok, err := s.file().Exists(); ok || err != nil {
		t.Errorf("Exists() = %v, %v", ok, err)
	}
	if _, err := os.Stat(s.file().newPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a temporary file was left")
	}
}

func TestNames(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	for what, fn := range map[string]func(*Tx) error{
		"table":     func(tx *Tx) error { return tx.PutTable(&Table{}) },
		"delete":    func(tx *Tx) error { return tx.DeleteTable("") },
		"partition": func(tx *Tx) error { return tx.PutPartition("", partition(1, 1)) },
		"long":      func(tx *Tx) error { return tx.PutTable(&Table{Name: strings.Repeat("x", maxKey+1)}) },
	} {
		if err := l.Update(t.Context(), fn); err == nil {
			t.Errorf("%s: a record with a bad name was taken", what)
		}
	}
	// Any bytes are a name, and none is the beginning of another.
	names := []string{"a", "a\x00", "a\x00\x00\x00\x00\x01", "\xff\xfe", strings.Repeat("n", 300)}
	update(t, l, func(tx *Tx) error {
		var errs []error
		for i, n := range names {
			errs = append(errs, tx.PutTable(&Table{Name: n}), tx.PutPartition(n, partition(uint32(i), 1)))
		}
		return errors.Join(errs...)
	})
	update(t, l, func(tx *Tx) error { return tx.DeleteTable("a") })
	snap := load(t, s)
	for i, n := range names {
		if _, ok := snap.Tables[n]; ok != (n != "a") || (ok && (len(snap.Partitions[n]) != 1 || snap.Partitions[n][0].Ordinal != uint32(i))) {
			t.Errorf("table %q: there %v, partitions %v", n, ok, snap.Partitions[n])
		}
	}
}

// What the codec refuses to read back would be a state lost.
func TestLongListsReadBack(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	p := &Publish{Table: "t", Steps: make([]Step, 200_000)}
	update(t, l, func(tx *Tx) error { return tx.PutPublish(p) })
	if got := load(t, s).Publishes; len(got) != 1 || len(got[0].Steps) != len(p.Steps) {
		t.Error("the list did not come back whole")
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	fill(t, l)
	rewriteMeta(t, s, func(m *metaRecord) any {
		return map[int]any{1: 7, 2: "9.9.0", 3: []int{1}, 4: "another meaning"}
	})
	data := readFile(t, s.Place())
	check := func(err error) {
		t.Helper()
		var v *VersionError
		if !errors.Is(err, ErrNewer) || !errors.As(err, &v) || v.Found != 7 || v.Supported != formatVersion {
			t.Fatalf("got %v, want a *VersionError", err)
		}
		for _, part := range []string{s.Place(), "format 7", "9.9.0", "0.1.0", fmt.Sprint("format ", formatVersion)} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %s", err, part)
			}
		}
	}
	_, err := s.Load(t.Context())
	check(err)
	check(l.Update(t.Context(), func(tx *Tx) error { return tx.DeleteHold(Hold{Table: "users", Dump: 7}) }))
	check(l.Compact(t.Context()))
	if !bytes.Equal(data, readFile(t, s.Place())) {
		t.Error("the file was written")
	}
}

// A record may get fields that this program does not know.
func TestUnknownFieldsAreIgnored(t *testing.T) {
	payload, err := encode(map[int]any{1: 3, 99: "new", 4: 8})
	if err != nil {
		t.Fatal(err)
	}
	mode, err := decMode()
	if err != nil {
		t.Fatal(err)
	}
	var p Partition
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
		if _, err := s.Lock(t.Context(), Holder{}, 0); err == nil || !strings.Contains(err.Error(), what) {
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
		l := lock(t, s)
		model := &Snapshot{Program: "0.1.0", Tables: map[string]*Table{}, Partitions: map[string][]*Partition{},
			Dumps: map[int64]*Dump{}, Settings: map[string][]byte{}}
		for i := range 40 {
			update(t, l, func(tx *Tx) error {
				var errs []error
				for range 1 + r.IntN(60) {
					errs = append(errs, randomOp(tx, r, model))
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
			if d := diff(model, load(t, again)); d != "" {
				t.Fatalf("seed %d, transaction %d: %s", seed, i, d)
			}
		}
		if model.Serial != 40 {
			t.Errorf("seed %d: serial %d after 40 transactions", seed, model.Serial)
		}
	}
}

func randomOp(tx *Tx, r *rand.Rand, m *Snapshot) error {
	name := string(rune('a' + r.IntN(5)))
	ordinal := uint32(r.IntN(40))
	at, found := slices.BinarySearchFunc(m.Partitions[name], ordinal, func(p *Partition, o uint32) int { return int(p.Ordinal) - int(o) })
	switch r.IntN(9) {
	case 0:
		m.Tables[name] = table(name, r.Uint64N(1000))
		return tx.PutTable(m.Tables[name])
	case 1:
		if r.IntN(4) > 0 {
			return nil
		}
		delete(m.Tables, name)
		delete(m.Partitions, name)
		return tx.DeleteTable(name)
	case 2:
		if found {
			m.Partitions[name] = slices.Delete(slices.Clone(m.Partitions[name]), at, at+1)
		}
		if len(m.Partitions[name]) == 0 {
			delete(m.Partitions, name)
		}
		return tx.DeletePartition(name, ordinal)
	case 3:
		id := int64(r.IntN(9) - 4)
		m.Dumps[id] = &Dump{ID: id, Digest: fmt.Sprint(r.Uint64())}
		return tx.PutDump(m.Dumps[id])
	case 4:
		id := int64(r.IntN(9) - 4)
		delete(m.Dumps, id)
		return tx.DeleteDump(id)
	case 5:
		m.Settings[name] = bytes.Repeat([]byte{7}, r.IntN(9000))
		return tx.PutSetting(name, m.Settings[name])
	case 6:
		m.Mapping = nil
		if r.IntN(2) == 0 {
			m.Mapping = &Mapping{Dump: r.Int64N(100)}
		}
		return tx.SetMapping(m.Mapping)
	}
	p := partition(ordinal, r.Int64N(1000))
	if found {
		m.Partitions[name] = slices.Clone(m.Partitions[name])
		m.Partitions[name][at] = p
	} else {
		m.Partitions[name] = slices.Insert(slices.Clone(m.Partitions[name]), at, p)
	}
	return tx.PutPartition(name, p)
}

func TestFailpointsOfACommit(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		for spec, committed := range map[string]bool{
			"state.commit.before=error": false, "state.commit.before=enospc": false,
			"state.commit.after=error": true, "state.commit.after=enospc": true,
		} {
			t.Run(fmt.Sprintf("%s,fresh=%v", spec, fresh), func(t *testing.T) {
				s := newStore(t)
				l := lock(t, s)
				if !fresh {
					fill(t, l)
				}
				before := load(t, s)
				set, err := failpoint.Parse(spec)
				if err != nil {
					t.Fatal(err)
				}
				err = l.Update(failpoint.With(t.Context(), set), func(tx *Tx) error { return tx.PutTable(table("new", 1)) })
				if !errors.Is(err, failpoint.ErrInjected) && !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("got %v", err)
				}
				after := load(t, s)
				if _, there := after.Tables["new"]; there != committed || (after.Serial > before.Serial) != committed {
					t.Errorf("there: %v, serial %d after %d; want committed: %v", there, after.Serial, before.Serial, committed)
				}
				update(t, l, func(tx *Tx) error { return tx.PutTable(table("next", 1)) })
				if load(t, s).Tables["next"] == nil {
					t.Error("the next transaction was lost")
				}
			})
		}
	}
}

func TestUnlockedAndStolenLocksDoNotWrite(t *testing.T) {
	s := newStore(t)
	l := lock(t, s)
	if err := os.Remove(s.file().lockPath()); err != nil {
		t.Fatal(err)
	}
	put := func(tx *Tx) error { return tx.PutTable(table("t", 1)) }
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
	if len(load(t, s).Tables) > 0 {
		t.Error("something was written")
	}
}
