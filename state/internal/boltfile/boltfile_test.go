package boltfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"reconcile/state/internal/boltfile"
)

type content map[string]map[string]string

func open(t testing.TB, path string) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, NoSync: true, NoGrowSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// step makes random changes to the file and to the model alike.
func step(t testing.TB, path string, r *rand.Rand, model content, ops int) {
	t.Helper()
	db := open(t, path)
	defer db.Close()
	err := db.Update(func(tx *bolt.Tx) error {
		for range ops {
			name := fmt.Sprintf("b%d", r.IntN(4))
			b, err := tx.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				return err
			}
			if model[name] == nil {
				model[name] = map[string]string{}
			}
			key := fmt.Sprintf("%0*d", 1+r.IntN(60), r.IntN(300))
			if r.IntN(3) == 0 {
				delete(model[name], key)
				err = b.Delete([]byte(key))
			} else {
				value := bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(1<<r.IntN(15)))
				model[name][key] = string(value)
				err = b.Put([]byte(key), value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func walk(path string) (content, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	got := content{}
	err = boltfile.Read(f, func(v *boltfile.View) error {
		return v.Walk(func(bucket string, key, value []byte) error {
			if got[bucket] == nil {
				got[bucket] = map[string]string{}
			}
			got[bucket][string(key)] = string(value)
			return nil
		})
	})
	return got, err
}

func equal(a, b content) bool {
	for _, m := range []content{a, b} {
		for name := range m {
			if !maps.Equal(a[name], b[name]) {
				return false
			}
		}
	}
	return true
}

func TestReadsWhatBboltWrote(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		path := filepath.Join(t.TempDir(), "db")
		model := content{}
		for i := range 60 {
			step(t, path, r, model, 1+r.IntN(1<<r.IntN(10)))
			got, err := walk(path)
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			if !equal(got, model) {
				t.Fatalf("seed %d, step %d: the walk differs from what was written", seed, i)
			}
		}
		checkGet(t, path, model)
	}
}

func checkGet(t *testing.T, path string, model content) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = boltfile.Read(f, func(v *boltfile.View) error {
		for name, keys := range model {
			for key, want := range keys {
				got, err := v.Get(name, []byte(key))
				if err != nil || string(got) != want || got == nil {
					return fmt.Errorf("Get(%s, %s) = %d bytes, %v; want %d bytes", name, key, len(got), err, len(want))
				}
			}
			for _, key := range []string{"", "a", "zzz", "0000000000000000000000000000000000"} {
				if _, ok := keys[key]; ok {
					continue
				}
				if got, err := v.Get(name, []byte(key)); got != nil || err != nil {
					return fmt.Errorf("Get(%s, %q) = %d bytes, %v; want nothing", name, key, len(got), err)
				}
			}
		}
		if got, err := v.Get("no such bucket", []byte("1")); got != nil || err != nil {
			return fmt.Errorf("a missing bucket gave %d bytes, %v", len(got), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A long list of free pages keeps its count in the first number. The pages are
// small ones, so that there are many.
func TestLongFreelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, NoSync: true, PageSize: 1024})
	if err != nil {
		t.Fatal(err)
	}
	put := func(n int) {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return b.Put(binary.BigEndian.AppendUint64(nil, 1), make([]byte, n))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(65_600 * 1024)
	put(1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := walk(path)
	if err != nil || len(got["b"]) != 1 {
		t.Fatalf("got %d keys, %v", len(got["b"]), err)
	}
}

// Whatever is done to the bytes, reading ends in an error or in what bbolt
// itself, which is then safe to use, reads.
func TestDamageNeverCrashes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	for range 8 {
		step(t, path, r, content{}, 20)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad")
	found := 0
	for range 1500 {
		data := slices.Clone(sound)
		damage(data, r)
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := walk(bad)
		switch {
		case errors.Is(err, boltfile.ErrCorrupt):
			found++
		case err != nil:
			t.Fatalf("got %v, want an error that matches ErrCorrupt", err)
		default:
			if want := readWithBbolt(t, bad); !equal(got, want) {
				t.Fatal("the walk and bbolt differ")
			}
		}
	}
	if found < 150 {
		t.Errorf("found damage %d times of 1500, expected many more", found)
	}
}

func readWithBbolt(t *testing.T, path string) content {
	t.Helper()
	got := content{}
	db := open(t, path)
	defer db.Close()
	err := db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			got[string(name)] = map[string]string{}
			return b.ForEach(func(k, v []byte) error {
				got[string(name)][string(k)] = string(v)
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func damage(data []byte, r *rand.Rand) {
	page := r.IntN(len(data)/4096) * 4096
	switch r.IntN(4) {
	case 0: // a bit of a page's header or first elements
		data[page+r.IntN(64)] ^= 1 << r.IntN(8)
	case 1:
		data[r.IntN(len(data))] ^= 1 << r.IntN(8)
	case 2: // one page in the place of another
		copy(data[page:page+4096], data[r.IntN(len(data)/4096)*4096:])
	case 3: // a random number where a page number or a position may stand
		binary.NativeEndian.PutUint64(data[page+8*r.IntN(512):], uint64(r.IntN(64)))
	}
}

func TestTruncatedWhileMapped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	r := rand.New(rand.NewPCG(1, 2))
	step(t, path, r, content{}, 3000)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = boltfile.Read(f, func(v *boltfile.View) error {
		if err := f.Truncate(0); err != nil {
			return err
		}
		return v.Walk(func(string, []byte, []byte) error { return nil })
	})
	if !errors.Is(err, boltfile.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

func TestGuard(t *testing.T) {
	if err := boltfile.Guard(func() error { panic("page 7: bad") }); !errors.Is(err, boltfile.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	want := errors.New("own")
	if err := boltfile.Guard(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "db")
	step(f, path, rand.New(rand.NewPCG(3, 3)), content{}, 12)
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, uint32(0), byte(0))
	f.Add(data, uint32(4096*3+9), byte(1))
	f.Add([]byte{}, uint32(0), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, at uint32, bit byte) {
		if len(data) > 0 {
			data = slices.Clone(data)
			data[int(at)%len(data)] ^= bit
		}
		path := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := walk(path); err != nil && !errors.Is(err, boltfile.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	})
}
