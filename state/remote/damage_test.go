package remote

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/statetest"
)

var (
	flagDamages    = flag.Int("remotedamages", 1000, "damages of states in an object store")
	flagDamageSeed = flag.Int64("remotedamageseed", 1, "seed of the damages of states in an object store")
)

// damageBed is a state in a folder that stands for a bucket, and what it was at each
// serial.
type damageBed struct {
	dir, cache string
	states     map[uint64]*state.Snapshot // by the slot of their record
	head       uint64
	refs       []state.Ref
}

func (b *damageBed) open(t testing.TB, cache string) *state.Store {
	t.Helper()
	store, err := blob.NewLocal(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	return Open(store, Options{Program: "0.1.0", InlineLimit: 100, Cache: cache})
}

// newDamageBed commits some records by several machines, the last of which dies: it
// leaves records above the newest checkpoint, unless atCheckpoint. If large, one of them
// has its payload in an object. The cache is from the middle.
func newDamageBed(t testing.TB, atCheckpoint, large bool) *damageBed {
	b := &damageBed{dir: t.TempDir(), cache: t.TempDir(), states: map[uint64]*state.Snapshot{0: statetest.EmptyModel()}}
	for m := range 3 {
		cache := t.TempDir()
		if m == 1 {
			cache = b.cache
		}
		s := b.open(t, cache)
		l := statetest.Lock(t, s)
		for i := range 3 {
			o := statetest.Write(t, s, statetest.Random(300+10*m+i), 1)
			statetest.Update(t, l, func(tx *state.Tx) error {
				tb := statetest.Table("t"+strconv.Itoa(m), tx.Serial())
				tb.Index = []state.Ref{o.Ref}
				errs := []error{tx.PutObject(o), tx.PutTable(tb), tx.PutPartition("t"+strconv.Itoa(m), statetest.Partition(uint32(i), 5))}
				if large && m == 2 && i == 1 {
					errs = append(errs, tx.PutSetting("large", bytes.Repeat([]byte("large"), 300_000)))
				}
				return errors.Join(errs...)
			})
			b.head++
			b.states[b.head] = brief(statetest.Load(t, s))
			if i == 2 {
				b.refs = append(b.refs, o.Ref)
			}
		}
		if m < 2 || atCheckpoint {
			if err := l.Unlock(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

// brief makes a snapshot fast to compare.
func brief(s *state.Snapshot) *state.Snapshot {
	s.Notices = nil
	if large, ok := s.Settings["large"]; ok {
		sum := sha256.Sum256(large)
		s.Settings["large"] = sum[:]
	}
	return s
}

// copied is the bed in a folder of its own.
func (b *damageBed) copied(t testing.TB, tmp string) *damageBed {
	t.Helper()
	c := *b
	c.dir, c.cache = filepath.Join(tmp, "bucket"), filepath.Join(tmp, "cache")
	for from, to := range map[string]string{b.dir: c.dir, b.cache: c.cache} {
		err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(from, p)
			if err == nil && d.IsDir() {
				return os.MkdirAll(filepath.Join(to, rel), 0o755)
			}
			if err == nil {
				err = os.Link(p, filepath.Join(to, rel))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The cache lies in a folder that is named after the place.
	if list, err := os.ReadDir(c.cache); err != nil || len(list) != 1 ||
		os.Rename(filepath.Join(c.cache, list[0].Name()), newCache(c.cache, c.dir).dir) != nil {
		t.Fatal(list, err)
	}
	return &c
}

// filesIn lists the files below a folder.
func filesBelow(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// files lists what the state consists of, without the lease.
func (b *damageBed) files(t testing.TB) []string {
	return slices.DeleteFunc(filesBelow(t, b.dir), func(p string) bool { return filepath.Base(p) == "lease" })
}

// replaceFile gives a file a new content without changing what it is linked to.
func replaceFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	statetest.WriteFile(t, path, data)
}

// harm damages one file, and says how.
func harm(t testing.TB, r *rand.Rand, all []string) string {
	t.Helper()
	path := all[r.Intn(len(all))]
	data := slices.Clone(statetest.ReadFile(t, path))
	how := []string{"flip", "cut", "delete", "swap", "grow", "zero"}[r.Intn(6)]
	switch {
	case how == "flip" && len(data) > 0:
		data[r.Intn(len(data))] ^= 1 << r.Intn(8)
	case how == "cut" && len(data) > 0:
		data = data[:r.Intn(len(data))]
	case how == "delete":
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return "delete " + path
	case how == "swap":
		other := all[r.Intn(len(all))]
		theirs := slices.Clone(statetest.ReadFile(t, other))
		replaceFile(t, other, data)
		if other != path {
			replaceFile(t, path, theirs)
		}
		return fmt.Sprintf("swap %s and %s", path, other)
	case how == "grow":
		data = append(data, statetest.Random(1+r.Intn(100))...)
	case len(data) > 0:
		at := r.Intn(len(data))
		clear(data[at:min(len(data), at+4096)])
	}
	replaceFile(t, path, data)
	return how + " " + path
}

// allowed are the slots whose state a reader may find: the head and, of a log that lost
// its end, what nobody can tell from the whole.
func (b *damageBed) allowed(t testing.TB) []uint64 {
	t.Helper()
	last := uint64(0)
	for _, folder := range []string{"log", "checkpoints"} {
		for _, p := range filesBelow(t, filepath.Join(b.dir, folder)) {
			serial, _, _ := strings.Cut(filepath.Base(p), "-")
			n, err := strconv.ParseUint(serial, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			last = max(last, n)
		}
	}
	out := []uint64{b.head}
	if last < b.head {
		out = append(out, last)
	}
	return out
}

// told reports whether an error says what it should: that something is damaged, or to run
// again.
func told(err error) bool {
	return errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrMissingObject) || errors.Is(err, chain.ErrBeginAgain)
}

// check loads and reads objects.
func (b *damageBed) check(t *testing.T, what, cache string, mayFail bool) {
	t.Helper()
	s := b.open(t, cache)
	snap, err := s.Load(t.Context())
	if err != nil {
		if !mayFail || !told(err) {
			t.Fatalf("%s: %v", what, err)
		}
		return
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	snap = brief(snap)
	allowed := b.allowed(t)
	if !slices.ContainsFunc(allowed, func(slot uint64) bool { return statetest.Diff(b.states[slot], snap) == "" }) {
		t.Fatalf("%s: a wrong state, with serial %d; allowed are those of %d: %s", what, snap.Serial, allowed, statetest.Diff(b.states[b.head], snap))
	}
	for i, ref := range b.refs {
		o, err := s.OpenObject(t.Context(), ref)
		var data []byte
		if err == nil {
			data, err = o.ReadAll(t.Context())
			err = errors.Join(err, o.Close())
		}
		switch {
		case err != nil && (!mayFail || !told(err)):
			t.Fatalf("%s: object %d: %v", what, i, err)
		case err == nil && !bytes.Equal(data, statetest.Random(int(ref.Size))):
			t.Fatalf("%s: object %d is wrong", what, i)
		}
	}
}

// TestDamagedRemoteStates harms a state in an object store, or a machine's cache of it, in
// any way. Who loads it gets what it was or an error that says that it is damaged: a
// damaged cache is as good as none. A writer does not begin behind lost records.
func TestDamagedRemoteStates(t *testing.T) {
	for name, n := range map[string]int{"at checkpoint": *flagDamages * 3 / 8, "above it": *flagDamages / 2, "large": *flagDamages / 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bed := newDamageBed(t, name == "at checkpoint", name == "large")
			r := rand.New(rand.NewSource(*flagDamageSeed))
			tmp := t.TempDir()
			for range n {
				bed.copied(t, tmp).harmed(t, r, tmp)
				if err := os.RemoveAll(tmp); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// harmed damages the bed, or its cache, and looks at what comes of it.
func (b *damageBed) harmed(t *testing.T, r *rand.Rand, tmp string) {
	t.Helper()
	if r.Intn(4) == 0 {
		what := harm(t, r, filesBelow(t, b.cache))
		b.check(t, what, b.cache, false)
		return
	}
	what := harm(t, r, b.files(t))
	if r.Intn(4) == 0 {
		what += ", " + harm(t, r, b.files(t))
	}
	b.check(t, what, b.cache, true)
	b.check(t, what, filepath.Join(tmp, "none"), true)
	b.write(t, what, filepath.Join(tmp, "another"))
}

// write commits behind what is there, or is told that it is damaged.
func (b *damageBed) write(t *testing.T, what, cache string) {
	t.Helper()
	if err := os.Remove(filepath.Join(b.dir, "lease")); err != nil {
		t.Fatal(err)
	}
	l, err := b.open(t, cache).Lock(t.Context(), state.NewHolder("apply"), 0)
	if err == nil {
		err = l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutSetting("next", []byte("1")) })
		err = errors.Join(err, l.Unlock())
	}
	if err != nil {
		if !told(err) {
			t.Fatalf("%s: writing: %v", what, err)
		}
		return
	}
	if next := statetest.Load(t, b.open(t, "")); string(next.Settings["next"]) != "1" {
		t.Fatalf("%s: what was written behind it is not there", what)
	}
}
