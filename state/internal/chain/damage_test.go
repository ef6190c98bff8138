package chain_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/internal/blob"
	"reconcile/state/internal/chain"
)

// harms are the ways in which a file, or two, are damaged. An error of fs.ErrNotExist
// says that a file is gone already.
var harms = map[string]func(rng *rand.Rand, a, b string) error{
	"flip": func(rng *rand.Rand, a, _ string) error {
		data, err := os.ReadFile(a)
		if err != nil || len(data) == 0 {
			return err
		}
		data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		return os.WriteFile(a, data, 0o666)
	},
	"cut": func(rng *rand.Rand, a, _ string) error {
		info, err := os.Stat(a)
		if err != nil || info.Size() == 0 {
			return err
		}
		return os.Truncate(a, rng.Int64N(info.Size()))
	},
	"delete": func(_ *rand.Rand, a, _ string) error { return os.Remove(a) },
	"swap": func(_ *rand.Rand, a, b string) error {
		return errors.Join(os.Rename(a, a+".x"), os.Rename(b, a), os.Rename(a+".x", b))
	},
	"foreign": func(rng *rand.Rand, a, _ string) error {
		n, err := strconv.ParseUint(filepath.Base(a), 10, 64)
		if err != nil || rng.IntN(4) > 0 {
			return nil // it is no entry of the log
		}
		other := filepath.Join(filepath.Dir(a), "..", "other")
		s, err := blob.NewLocal(other)
		if err != nil {
			return err
		}
		rec := next(chain.Position{Serial: n - 1, Digest: chain.Digest{1}}, "foreign")
		if _, _, err := chain.New(s, chain.Options{}).Append(context.Background(), rec, nil); err != nil {
			return err
		}
		return os.Rename(filepath.Join(other, "log", filepath.Base(a)), a)
	},
	"overwrite": func(_ *rand.Rand, a, b string) error {
		data, err := os.ReadFile(b)
		if err != nil {
			return err
		}
		return os.WriteFile(a, data, 0o666)
	},
}

// TestDamage harms log, checkpoints and payload objects at random and loads, with and
// without a cache: a state is the right one or there is an error of the right kind.
// What cannot be seen here is that the newest records are gone with all that names
// them: such a state is an older one, never a wrong one, and the sinks tell.
func TestDamage(t *testing.T) {
	t.Parallel()
	p := local(t)
	w := &reader{c: p.chain(t, chain.Options{})}
	want := numbers(1, 20)
	want[13] = strings.Repeat("large", 1<<18)
	var cache content
	for i, payload := range want {
		w.append(t, payload)
		if slices.Contains([]int{3, 8, 12}, i) {
			w.checkpoint(t)
		}
		if i == 10 {
			cache = content{At: w.s.At, Payloads: slices.Clone(w.s.Payloads)}
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	seen := map[string]int{}
	for range 500 {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
			t.Fatal(err)
		}
		did := harmSome(t, rng, dir)
		r := &reader{c: at(t, dir)}
		if rng.IntN(2) == 0 {
			r.s = content{At: cache.At, Payloads: slices.Clone(cache.Payloads)}
		}
		_, err := r.load(ctx)
		var d *chain.DamagedError
		switch {
		case err == nil && slices.Equal(r.s.Payloads, want):
			seen["right"]++
		case err == nil && lastSlot(t, dir) == len(r.s.Payloads) && slices.Equal(r.s.Payloads, want[:len(r.s.Payloads)]):
			seen["the head is gone"]++
		case errors.As(err, &d):
			seen["damaged"]++
		case errors.Is(err, chain.ErrBeginAgain):
			seen["begin again"]++
		default:
			t.Fatalf("%q: %d records, %v", did, len(r.s.Payloads), err)
		}
		os.RemoveAll(dir)
	}
	t.Log(seen)
	if seen["right"] < 20 || seen["damaged"] < 20 {
		t.Error("the damages are not of all kinds")
	}
}

// harmSome does one to three damages in a folder.
func harmSome(t *testing.T, rng *rand.Rand, dir string) (did []string) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"flip", "cut", "delete", "swap", "overwrite", "foreign"}
	for range 1 + rng.IntN(3) {
		name := names[rng.IntN(len(names))]
		a, b := files[rng.IntN(len(files))], files[rng.IntN(len(files))]
		if err := harms[name](rng, a, b); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		did = append(did, fmt.Sprintf("%s %s %s", name, strings.TrimPrefix(a, dir), strings.TrimPrefix(b, dir)))
	}
	return did
}

// lastSlot is the last serial at which anything stands.
func lastSlot(t *testing.T, dir string) int {
	t.Helper()
	names := place{dir: dir}.names(t, "log")
	n, err := strconv.Atoi(names[len(names)-1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func at(t *testing.T, dir string) *chain.Chain {
	t.Helper()
	s, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return place{store: s}.chain(t, chain.Options{})
}
