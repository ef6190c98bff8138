package chain_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/state/internal/chain"
)

// TestRequests counts what reading and writing cost, each by a process of its own.
func TestRequests(t *testing.T) {
	p := onS3(t, s3test.Start(t), nil)
	w := &reader{c: p.chain(t, chain.Options{})}
	w.append(t, numbers(1, 3)...)
	w.checkpoint(t)
	fresh := func(do func(c *chain.Chain)) map[string]int64 {
		own := p.over(t, nil)
		do(own.chain(t, chain.Options{}))
		return own.store.(*s3blob.Store).Stats().Requests
	}
	for name, c := range map[string]struct {
		do   func(c *chain.Chain)
		want map[string]int64
	}{
		"nothing new since the cache": {func(c *chain.Chain) { mustLoad(t, &reader{c: c, s: w.s}) },
			map[string]int64{"GetObject": 1, "ListObjectsV2": 1}},
		"without a cache": {func(c *chain.Chain) { mustLoad(t, &reader{c: c}) },
			map[string]int64{"GetObject": 2, "ListObjectsV2": 2}},
	} {
		if got := fresh(c.do); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	s := p.store.(*s3blob.Store)
	long := onS3(t, s3test.Start(t), nil)
	l := &reader{c: long.chain(t, chain.Options{})}
	payloads := append(numbers(1, 39), strings.Repeat("large", 1<<17)) // a record is one request, whatever its size
	l.append(t, payloads...)
	for name, c := range map[string]struct {
		cache content
		want  map[string]int64
	}{
		"a long log":                {content{}, map[string]int64{"GetObject": 41, "ListObjectsV2": 2}},
		"a long log from its first": {content{At: l.at(1), Payloads: numbers(1, 1)}, map[string]int64{"GetObject": 40, "ListObjectsV2": 2}},
	} {
		own := long.over(t, nil)
		r := &reader{c: own.chain(t, chain.Options{}), s: c.cache}
		mustLoad(t, r)
		if got := own.store.(*s3blob.Store).Stats().Requests; !maps.Equal(got, c.want) || !slices.Equal(r.s.Payloads, payloads) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	before := s.Stats().Total()
	w.append(t, "p4")
	if n := s.Stats().Total() - before; n != 1 {
		t.Errorf("a record costs %d requests", n)
	}
	before = s.Stats().Total()
	w.checkpoint(t)
	if n := s.Stats().Total() - before; n != 1 {
		t.Errorf("a checkpoint costs %d requests", n)
	}
}

// at is the position of a record.
func (r *reader) at(serial uint64) chain.Position {
	v, err := r.c.Follow(ctx, chain.Position{})
	if err != nil {
		panic(err)
	}
	return v.Records[serial-1].Position()
}

func mustLoad(t testing.TB, r *reader) *chain.Loaded {
	t.Helper()
	l, err := r.load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestCaches: a cache is used where the chain has it, and not where it is of another
// chain or the chain moved on too far.
func TestCaches(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		w := &reader{c: p.chain(t, chain.Options{})}
		w.append(t, numbers(1, 3)...)
		old := w.s
		w.append(t, "p4")
		foreign := content{At: chain.Position{Serial: 4, Digest: chain.Digest{1}}, Payloads: []string{"foreign"}}
		behind := content{At: chain.Position{Serial: 3, Digest: chain.Digest{1}}, Payloads: []string{"foreign"}}
		above := content{At: chain.Position{Serial: 40, Digest: chain.Digest{1}}, Payloads: []string{"foreign"}}
		for range 2 {
			for name, c := range map[string]struct {
				s    content
				used bool
			}{"of today": {w.s, true}, "of yesterday": {old, true}, "foreign": {foreign, false},
				"foreign, behind": {behind, false}, "foreign, above": {above, false}} {
				r := &reader{c: w.c, s: content{At: c.s.At, Payloads: slices.Clone(c.s.Payloads)}}
				if l := mustLoad(t, r); l.Cached != c.used || !slices.Equal(r.s.Payloads, w.s.Payloads) {
					t.Errorf("%s: used %v, %q", name, l.Cached, r.s.Payloads)
				}
			}
			w.checkpoint(t)
		}
		w.append(t, "p5")
		w.checkpoint(t)
		w.append(t, "p6")
		w.checkpoint(t)
		p.age(t, "checkpoints")
		collect(t, w, nil)
		r := &reader{c: w.c, s: old}
		if l := mustLoad(t, r); l.Cached || !slices.Equal(r.s.Payloads, w.s.Payloads) {
			t.Errorf("a cache before what was collected: used %v, %q", l.Cached, r.s.Payloads)
		}
		if _, err := w.c.Follow(ctx, old.At); !errors.Is(err, chain.ErrBeginAgain) {
			t.Errorf("following from there: %v", err)
		}
		if _, err := w.c.Follow(ctx, chain.Position{Serial: 5, Digest: chain.Digest{1}}); !errors.Is(err, chain.ErrBeginAgain) {
			t.Errorf("following what the log does not, below a checkpoint: %v", err)
		}
	})
}

// TestDamagedCheckpointIsPassedOver with a warning, and the state is the same.
func TestDamagedCheckpointIsPassedOver(t *testing.T) {
	everywhere(t, func(t *testing.T, p place) {
		w := &reader{c: p.chain(t, chain.Options{})}
		w.append(t, numbers(1, 3)...)
		w.checkpoint(t)
		w.append(t, "p4", "p5")
		w.checkpoint(t)
		w.append(t, "p6")
		names := p.names(t, "checkpoints")
		harm := func(name string) {
			if _, err := blob.Put(ctx, p.store, "checkpoints/"+name, []byte("harmed"), blob.Cond{}); err != nil {
				t.Fatal(err)
			}
		}
		harm(names[1])
		l := wantState(t, w.c, numbers(1, 6))
		if len(l.Warnings) != 1 || l.From == nil || l.From.Serial != 3 || !strings.Contains(l.Warnings[0].Error(), names[1]) {
			t.Errorf("%+v", l)
		}
		harm(names[0])
		if l := wantState(t, w.c, numbers(1, 6)); len(l.Warnings) != 2 || l.From != nil {
			t.Errorf("from the first record: %+v", l)
		}
		if err := p.store.Delete(ctx, fmt.Sprintf("log/%020d", 4), blob.Cond{}); err != nil {
			t.Fatal(err)
		}
		_, err := (&reader{c: w.c}).load(ctx)
		var d *chain.DamagedError
		if !errors.As(err, &d) || d.Key != "checkpoints/"+names[1] || !strings.Contains(err.Error(), "state restore") || !strings.Contains(err.Error(), "state rebuild") {
			t.Errorf("with the log torn: %v", err)
		}
	})
}

// TestReadersBesideWriters lets readers, with and without caches, load beside a
// writer that collects at once what it may: each finds a state that was the head
// since it began.
func TestReadersBesideWriters(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		w := &reader{c: p.chain(t, chain.Options{Day: time.Nanosecond})}
		var head atomic.Int64
		var done atomic.Bool
		var g sync.WaitGroup
		for i := range 4 {
			g.Go(func() {
				r := &reader{c: p.chain(t, chain.Options{})}
				for loads := 0; !done.Load() || loads == 0; loads++ {
					least := head.Load()
					_, err := r.load(ctx)
					if errors.Is(err, chain.ErrBeginAgain) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					n := len(r.s.Payloads)
					if int64(n) < least || int64(n) > head.Load()+1 || !slices.Equal(r.s.Payloads, numbers(1, n)) {
						t.Errorf("after %d records: %q", least, r.s.Payloads)
						return
					}
					if i%2 == 0 {
						r.s = content{}
					}
				}
			})
		}
		removed := 0
		for n := 1; n <= 60 && !t.Failed(); n++ {
			w.append(t, fmt.Sprint("p", n))
			head.Store(int64(n))
			if n%3 == 0 {
				w.checkpoint(t)
				if n%10 == 0 {
					p.age(t, "checkpoints")
				}
				removed += collect(t, w, nil).Removed
			}
		}
		done.Store(true)
		g.Wait()
		if removed < 20 {
			t.Errorf("%d removals only", removed)
		}
	})
}

// TestCollectedBetweenListings collects while a reader lists a folder, after it listed the
// checkpoints and before it lists the log: that is no damage.
func TestCollectedBetweenListings(t *testing.T) {
	p := local(t)
	w := &reader{c: p.chain(t, chain.Options{Day: time.Nanosecond})}
	n := 0
	goOn := func() {
		for range 2 {
			w.append(t, fmt.Sprint("p", n+1), fmt.Sprint("p", n+2), fmt.Sprint("p", n+3))
			w.checkpoint(t)
			n += 3
		}
		if got := collect(t, w, nil); got.Removed == 0 {
			t.Error("nothing was collected")
		}
	}
	goOn()
	store := &betweenListings{Store: p.store}
	slow := &reader{c: place{store: store, dir: p.dir}.chain(t, chain.Options{})}
	if _, err := slow.load(ctx); err != nil {
		t.Fatal(err)
	}
	// The first of these listings is at the head that the reader knows, and so is the third,
	// from the newest checkpoint.
	store.listed, store.then = 0, func(listing int) {
		if listing == 1 || listing == 3 {
			goOn()
		}
	}
	if _, err := slow.load(ctx); err != nil {
		t.Fatal(err)
	}
	if store.listed < 3 || !slices.Equal(slow.s.Payloads, numbers(1, n)) {
		t.Errorf("after %d listings, of %d records: %q", store.listed, n, slow.s.Payloads)
	}
}

// betweenListings does something after each listing of the checkpoints, which it counts.
type betweenListings struct {
	blob.Store
	listed int
	then   func(listing int)
}

func (s *betweenListings) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	list, err := s.Store.List(ctx, prefix)
	if strings.HasPrefix(prefix, "checkpoints") && s.then != nil {
		s.listed++
		s.then(s.listed)
	}
	return list, err
}
