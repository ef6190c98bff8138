package local

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"reconcile/state"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
	"reconcile/state/internal/statefile"
	"reconcile/state/internal/statetest"
)

// metaKey is where a file has its meta record.
const metaKey = "state"

// rewrite changes a state file behind the package's back.
func rewrite(t *testing.T, s *state.Store, fn func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(s.Place(), 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func rewriteMeta(t *testing.T, s *state.Store, fn func(*statefile.Meta) any) {
	t.Helper()
	rewrite(t, s, func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(kv.Meta.String()))
		payload, _, err := kv.Unseal(kv.Meta, []byte(metaKey), b.Get([]byte(metaKey)))
		if err != nil {
			return err
		}
		mode, err := kv.DecMode()
		if err != nil {
			return err
		}
		var m statefile.Meta
		if err := mode.Unmarshal(payload, &m); err != nil {
			return err
		}
		payload, err = kv.Encode(fn(&m))
		if err != nil {
			return err
		}
		return b.Put([]byte(metaKey), kv.Seal(kv.Meta, []byte(metaKey), payload))
	})
}

// loadOrDamaged is the property: what Load gives is the original or ErrDamaged.
func loadOrDamaged(t *testing.T, s *state.Store, want *state.Snapshot, what string) (damaged bool) {
	t.Helper()
	got, err := s.Load(t.Context())
	if errors.Is(err, state.ErrDamaged) {
		return true
	}
	if err != nil {
		t.Fatalf("%s: got %v, want ErrDamaged", what, err)
	}
	defer got.Close()
	if d := statetest.Diff(want, got); d != "" {
		t.Fatalf("%s: wrong data in silence: %s", what, d)
	}
	return false
}

// damagedState returns a state with history (free pages, two transactions), its
// content and its bytes.
func damagedState(t *testing.T) (*state.Store, *state.Lock, *state.Snapshot, []byte) {
	t.Helper()
	s := newStore(t)
	l := statetest.Lock(t, s)
	statetest.Fill(t, s, l)
	statetest.Update(t, l, func(tx *state.Tx) error {
		var errs []error
		for i := range uint32(150) {
			errs = append(errs, tx.PutPartition("sessions", statetest.Partition(i, 7)))
		}
		return errors.Join(errs...)
	})
	statetest.Update(t, l, func(tx *state.Tx) error { return tx.DeletePartition("pageviews", 3) })
	return s, l, statetest.Load(t, s), statetest.ReadFile(t, s.Place())
}

func TestFlippedBits(t *testing.T) {
	s, _, want, data := damagedState(t)
	r := rand.New(rand.NewPCG(5, 5))
	var places []int
	for page := 0; page < len(data); page += 4096 { // headers and first elements, all of them
		for i := range 96 {
			places = append(places, page+i)
		}
	}
	for range 2500 {
		places = append(places, r.IntN(len(data)))
	}
	found := 0
	for _, at := range places {
		bit := byte(1) << r.IntN(8)
		flip(t, s, at, bit)
		if loadOrDamaged(t, s, want, fmt.Sprintf("byte %d, bit %#x", at, bit)) {
			found++
		}
		flip(t, s, at, bit)
	}
	if d := statetest.Diff(want, statetest.Load(t, s)); d != "" {
		t.Fatal(d)
	}
	if found < len(places)/4 {
		t.Errorf("only %d of %d flipped bits were found: too few to be right", found, len(places))
	}
	t.Logf("%d bytes, %d flipped bits, %d found, the others did not matter", len(data), len(places), found)
}

func flip(t *testing.T, s *state.Store, at int, bit byte) {
	t.Helper()
	f, err := os.OpenFile(s.Place(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err = f.ReadAt(b[:], int64(at)); err == nil {
		b[0] ^= bit
		_, err = f.WriteAt(b[:], int64(at))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A transaction on a damaged file leaves every byte alone; where the bit did
// not matter, it gives what it gives on the sound file.
func TestUpdatesOfDamagedFiles(t *testing.T) {
	s, l, want, data := damagedState(t)
	r := rand.New(rand.NewPCG(6, 6))
	for range 300 {
		at := r.IntN(len(data))
		if r.IntN(2) == 0 {
			at = at/4096*4096 + r.IntN(96)
		}
		bad := slices.Clone(data)
		bad[at] ^= 1 << r.IntN(8)
		statetest.WriteFile(t, s.Place(), bad)
		err := l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutSetting("new", []byte("x")) })
		if err != nil {
			statetest.MustDamaged(t, s, err)
			if !bytes.Equal(statetest.ReadFile(t, s.Place()), bad) {
				t.Fatalf("byte %d: the damaged file was written", at)
			}
			continue
		}
		got := statetest.Load(t, s)
		if string(got.Settings["new"]) != "x" || got.Serial != want.Serial+1 {
			t.Fatalf("byte %d: the transaction was lost", at)
		}
		delete(got.Settings, "new")
		got.Serial--
		if d := statetest.Diff(want, got); d != "" {
			t.Fatalf("byte %d: %s", at, d)
		}
	}
}

func TestTruncatedFiles(t *testing.T) {
	s, l, want, data := damagedState(t)
	sizes := []int{0, 1, 15, 79, 80, 1023, 1024, 4095, 4096, 4176, 8191, 8192, 12288, 16384, len(data) - 1}
	for size := 0; size < len(data); size += 1500 {
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		statetest.WriteFile(t, s.Place(), data[:size])
		damaged := loadOrDamaged(t, s, want, fmt.Sprintf("%d of %d bytes", size, len(data)))
		if size < len(data)/2 && !damaged {
			t.Errorf("%d of %d bytes were taken for the whole", size, len(data))
		}
		if !damaged {
			continue
		}
		statetest.MustDamaged(t, s, l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutHold(state.Hold{Table: "x"}) }))
		statetest.MustDamaged(t, s, l.Compact(t.Context()))
		if got := statetest.ReadFile(t, s.Place()); !bytes.Equal(got, data[:size]) {
			t.Fatalf("the file of %d bytes was written", size)
		}
	}
}

func TestZeroedAndSwappedPages(t *testing.T) {
	s, _, want, data := damagedState(t)
	found := 0
	for page := 0; page+4096 <= len(data); page += 4096 {
		for what, with := range map[string][]byte{"zeroes": make([]byte, 4096), "page 4": data[4*4096 : 5*4096], "ones": bytes.Repeat([]byte{255}, 4096)} {
			bad := slices.Clone(data)
			copy(bad[page:], with)
			statetest.WriteFile(t, s.Place(), bad)
			if loadOrDamaged(t, s, want, fmt.Sprintf("%s at %d", what, page)) {
				found++
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d lost pages were found", found)
	}
}

func TestNotAStateFile(t *testing.T) {
	s := newStore(t)
	l := statetest.Lock(t, s)
	for what, data := range map[string][]byte{
		"empty": {}, "text": []byte("terraform state, perhaps"), "long text": bytes.Repeat([]byte("no bbolt file "), 5000),
	} {
		statetest.WriteFile(t, s.Place(), data)
		_, err := s.Load(t.Context())
		statetest.MustDamaged(t, s, err)
		if !strings.Contains(err.Error(), "state restore FROM") {
			t.Errorf("%s: %q does not say what to do", what, err)
		}
		statetest.MustDamaged(t, s, l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutHold(state.Hold{Table: "x"}) }))
		if !bytes.Equal(statetest.ReadFile(t, s.Place()), data) {
			t.Errorf("%s: the file was overwritten", what)
		}
	}
}

// Sound bbolt files whose content is not what was written.
func TestMissingAndForeignRecords(t *testing.T) {
	in := func(b kv.Bucket, fn func(*bolt.Bucket) error) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error { return fn(tx.Bucket([]byte(b.String()))) }
	}
	for what, fn := range map[string]func(*bolt.Tx) error{
		"missing key":    in(kv.Tables, func(b *bolt.Bucket) error { return b.Delete([]byte("sessions")) }),
		"missing object": in(kv.Inline, func(b *bolt.Bucket) error { k, _ := b.Cursor().First(); return b.Delete(k) }),
		"moved value": in(kv.Tables, func(b *bolt.Bucket) error {
			return b.Put([]byte("sessions"), bytes.Clone(b.Get([]byte("pageviews"))))
		}),
		"one more key": in(kv.Settings, func(b *bolt.Bucket) error {
			return b.Put([]byte("more"), kv.Seal(kv.Settings, []byte("more"), []byte("x")))
		}),
		"short value":    in(kv.Settings, func(b *bolt.Bucket) error { return b.Put([]byte("note"), []byte{1}) }),
		"other framing":  in(kv.Settings, func(b *bolt.Bucket) error { return b.Put([]byte("note"), make([]byte, 20)) }),
		"missing bucket": func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("dumps")) },
		"foreign bucket": func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket([]byte("other"))
			return errors.Join(err, b.Put([]byte("k"), []byte("v")))
		},
		"nested bucket": in(kv.Tables, func(b *bolt.Bucket) error { _, err := b.CreateBucket([]byte("x")); return err }),
		"no meta":       func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(kv.Meta.String())) },
		"more meta":     in(kv.Meta, func(b *bolt.Bucket) error { return b.Put([]byte("x"), kv.Seal(kv.Meta, []byte("x"), nil)) }),
	} {
		t.Run(what, func(t *testing.T) {
			s, l, _, _ := damagedState(t)
			rewrite(t, s, fn)
			_, err := s.Load(t.Context())
			statetest.MustDamaged(t, s, err)
			before := statetest.ReadFile(t, s.Place())
			statetest.MustDamaged(t, s, l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutHold(state.Hold{Table: "x"}) }))
			if !bytes.Equal(before, statetest.ReadFile(t, s.Place())) {
				t.Error("the damaged file was written")
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	s := newStore(f)
	l := statetest.Lock(f, s)
	statetest.Fill(f, s, l)
	want := statetest.Load(f, s)
	data := statetest.ReadFile(f, s.Place())
	f.Add(uint32(0), uint64(0))
	f.Add(uint32(4096*3), uint64(0xff))
	f.Add(uint32(4096*2+8), uint64(1<<63))
	f.Fuzz(func(t *testing.T, at uint32, mask uint64) {
		bad := slices.Clone(data)
		for i := range 8 {
			bad[(int(at)+i)%len(bad)] ^= byte(mask >> (8 * i))
		}
		other := newStore(t)
		if err := files.MakeDir(strings.TrimSuffix(other.Place(), "/state.db")); err != nil {
			t.Fatal(err)
		}
		statetest.WriteFile(t, other.Place(), bad)
		loadOrDamaged(t, other, want, fmt.Sprintf("%#x at %d", mask, at))
	})
}
