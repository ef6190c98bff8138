package remote

import (
	"context"
	"errors"
	"sync"
	"time"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/lease"
	"reconcile/state/internal/statefile"
)

// defaultInlineLimit is the size in bytes up to which an object stays inside a
// state in an object store: records and checkpoints carry it.
const defaultInlineLimit = 4 << 10

// Options are the settings of a state in an object store. The zero value of a
// field means its default.
type Options struct {
	// Program is the version that is written into records.
	Program string
	// Format is what is written, and the newest that is read; the zero value stands for
	// that of the program.
	Format state.Format
	// InlineLimit is the size in bytes up to which an object stays inside the state:
	// 4 KiB, or none at all when negative.
	InlineLimit int
	// Cache is the folder for copies of states between two runs; empty for none.
	Cache string
	// TTL is how long a lease lasts without renewal, Margin what a waiter adds.
	TTL, Margin time.Duration
	// Day is how long what a reader may still need is kept.
	Day time.Duration
	// Clock is the clock of the lease; nil is this machine's.
	Clock Clock
}

// Clock tells the holder of a lease how much of it has passed, and a waiter when to
// look again. It may be used by several goroutines.
type Clock = lease.Clock

// Instant is a moment by a Clock.
type Instant = lease.Instant

// backend is the state.Backend of a state in an object store. Each Load makes a replica;
// the holder of the lease has one that its own transactions go to.
type backend struct {
	log   *history
	store blob.Store
	o     Options

	above uint64 // what the generation of the lease has to exceed
	// fenced has the next session write a fence though its lease owes none.
	fenced bool

	mu      sync.Mutex
	seen    *replica // of the last Load
	session *session
}

// Open returns the state in a store whose root is the state's own. It sends no
// request; where nothing lies there is an empty state, made by the first transaction.
func Open(store blob.Store, o Options) *state.Store {
	if o.InlineLimit == 0 {
		o.InlineLimit = defaultInlineLimit
	}
	c := newCache(o.Cache, store.Root())
	dir := c.temp()
	format := statefile.Format{Place: store.Root(), Program: o.Program, Writes: o.Format}
	h := &history{format: format, cache: c, dir: dir,
		chain: chain.New(store, chain.Options{Dir: dir, Day: o.Day, Format: format.Newest().Number})}
	return &state.Store{Backend: &backend{log: h, store: store, o: o}}
}

// Place returns the URL of the state.
func (s *backend) Place() string { return s.store.Root() }

// Load reads the newest content, from the cache and the log behind it, else from the
// newest checkpoint.
func (s *backend) Load(ctx context.Context) (*state.Snapshot, error) {
	h, err := s.log.head(ctx)
	if err != nil {
		return nil, err
	}
	snap, err := h.Load()
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	snap.Notices = h.notices
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.seen.close()
	s.seen = h.replica
	return snap, err
}

// Serial returns the number of the newest transaction.
func (s *backend) Serial(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	var at chain.Position
	var serial uint64
	if s.seen != nil {
		at, serial = s.seen.position(), s.seen.Meta.Serial
	}
	s.mu.Unlock()
	if at.Serial > 0 {
		v, err := s.log.chain.Follow(ctx, at)
		if err == nil && len(v.Records) == 0 {
			return serial, nil
		}
	}
	h, err := s.log.head(ctx)
	if err != nil {
		return 0, err
	}
	return h.Meta.Serial, h.close()
}

// Try sends requests that a store must refuse.
func (s *backend) Try(ctx context.Context) error { return s.log.chain.Try(ctx) }

// CheckObjects returns nil: objects lie in the state's own place.
func (s *backend) CheckObjects(*state.Snapshot) error { return nil }

// Copy copies a replica of the newest record.
func (s *backend) Copy(ctx context.Context) (*state.Copy, error) {
	h, err := s.log.head(ctx)
	if err != nil {
		return nil, err
	}
	c, err := h.Private.Copy()
	return c, errors.Join(err, h.close())
}

// ExceedGeneration makes the generations of leases to come greater than a number.
func (s *backend) ExceedGeneration(generation uint64) { s.above = max(s.above, generation) }

// keptFolder is where a state in an object store keeps backups of itself.
const keptFolder = "backups"

// KeptBackups returns a folder in the store of the state.
func (s *backend) KeptBackups(bool) (blob.Store, string, error) { return s.store, keptFolder, nil }

// SetAside does nothing: what stands in a log is not replaced.
func (s *backend) SetAside(string) (string, error) { return "", nil }
