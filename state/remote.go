package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"reconcile/internal/blob"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/lease"
)

// DefaultRemoteInlineLimit is the size in bytes up to which an object stays inside a
// state in an object store: records and checkpoints carry it.
const DefaultRemoteInlineLimit = 4 << 10

// RemoteOptions are the settings of a state in an object store. The zero value of a
// field means its default.
type RemoteOptions struct {
	// Program is the version that is written into records.
	Program string
	// InlineLimit is the size in bytes up to which an object stays inside the state:
	// DefaultRemoteInlineLimit, or none at all when negative.
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

// leaseKey is the lease's key below the state's place.
const leaseKey = "lease"

// remote is the Backend of a state in an object store: package chain keeps its log,
// package lease the right to write it. Each Load makes a replica; the holder of the
// lease has one that its own transactions go to.
type remote struct {
	format
	store blob.Store
	chain *chain.Chain
	cache cache
	dir   string // for files of this process; empty is the system's
	o     RemoteOptions

	above uint64 // what the generation of the lease has to exceed
	// fenced has the next session write a fence though its lease owes none.
	fenced bool

	mu      sync.Mutex
	seen    *replica // of the last Load
	session *remoteSession
}

// OpenRemote returns the state in a store whose root is the state's own. It sends no
// request; where nothing lies there is an empty state, made by the first transaction.
func OpenRemote(store blob.Store, o RemoteOptions) *Store {
	if o.InlineLimit == 0 {
		o.InlineLimit = DefaultRemoteInlineLimit
	}
	c := newCache(o.Cache, store.Root())
	dir := c.temp()
	return &Store{&remote{
		format: format{place: store.Root(), program: o.Program}, store: store, cache: c, dir: dir, o: o,
		chain: chain.New(store, chain.Options{Dir: dir, Day: o.Day}),
	}}
}

// Place returns the URL of the state.
func (s *remote) Place() string { return s.store.Root() }

// Load reads the newest content, from the cache and the log behind it, else from the
// newest checkpoint.
func (s *remote) Load(ctx context.Context) (*Snapshot, error) {
	h, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	snap, err := h.load()
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

// headReplica is a replica of the newest record.
type headReplica struct {
	*replica
	shared  bool     // its file is that of the cache
	saved   uint64   // serial of the record of the newest checkpoint
	notices []string // of damage that does no harm
}

// head returns a replica of the newest record, which is the caller's.
func (s *remote) head(ctx context.Context) (_ *headReplica, err error) {
	r := s.cached()
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	begun := r.position()
	loaded, err := s.chain.Load(ctx, begun, func(ctx context.Context, k chain.Checkpoint) error { return s.useCheckpoint(ctx, k, r) })
	if err != nil {
		return nil, s.explain(err)
	}
	h := &headReplica{shared: loaded.Cached}
	for _, w := range loaded.Warnings {
		h.notices = append(h.notices, fmt.Sprintf("%v; an older checkpoint and the log give the same state", w))
	}
	if len(loaded.Checkpoints) > 0 {
		h.saved = loaded.Checkpoints[0].Serial
	}
	if loaded.From == nil && !loaded.Cached && r.position().Serial > 0 { // the cache was of another state, or a checkpoint went bad
		if err := r.close(); err != nil {
			return nil, err
		}
		r = s.newReplica()
	}
	if len(loaded.Records) > 0 && h.shared {
		if r, err = r.private(ctx, s.dir); err != nil {
			return nil, err
		}
		h.shared = false
	}
	if err := s.replay(ctx, r, loaded.Records); err != nil {
		return nil, err
	}
	if !h.shared {
		_ = s.cache.keep(ctx, r)
	}
	h.replica = r
	return h, nil
}

// cached returns the replica in the cache, or one of no state.
func (s *remote) cached() *replica {
	r := s.newReplica()
	f := s.cache.newest()
	if f == nil {
		return r
	}
	if err := r.open(f); err != nil || r.meta.Slot == 0 {
		_ = f.Close()
		return s.newReplica()
	}
	return r
}

// useCheckpoint makes a checkpoint the content of a replica.
func (s *remote) useCheckpoint(ctx context.Context, k chain.Checkpoint, r *replica) error {
	h, err := s.chain.OpenCheckpoint(ctx, k)
	if err != nil {
		return err
	}
	defer h.Close()
	f, err := tempFile(s.dir)
	if err != nil {
		return fmt.Errorf("a copy of the state: %w", err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, io.NewSectionReader(h, 0, k.Size), make([]byte, 1<<20))
	if err == nil {
		err = r.open(f)
	}
	if err != nil {
		_ = f.Close()
	}
	switch {
	case errors.Is(err, ErrDamaged):
		return s.chain.DamagedCheckpoint(k, err.Error())
	case err == nil && r.position() != k.Position:
		return s.chain.DamagedCheckpoint(k, fmt.Sprintf("it holds the state after record %d", r.meta.Slot))
	}
	return err
}

// replay applies records to a replica.
func (s *remote) replay(ctx context.Context, r *replica, records []*chain.Record) error {
	for _, rec := range records {
		payload, err := s.chain.Payload(ctx, rec)
		if err != nil {
			return s.explain(err)
		}
		if len(payload) == 0 {
			err = r.skip(rec, s.dir)
		} else {
			err = s.replayTx(r, rec, payload)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *remote) replayTx(r *replica, rec *chain.Record, payload []byte) error {
	tx, err := decodeTx(payload)
	if err == nil {
		err = r.apply(tx, rec, s.dir)
	}
	if err != nil {
		return &DamagedError{Path: s.place, Remote: true, Reason: fmt.Sprintf("record %d of its log: %v", rec.Serial, err)}
	}
	return nil
}

// explain turns what the log says into the errors of this package.
func (s *remote) explain(err error) error {
	var damage *chain.DamagedError
	var newer *chain.NewerError
	switch {
	case errors.As(err, &damage):
		return &DamagedError{Path: s.place, Remote: true, Reason: damage.Error()}
	case errors.As(err, &newer):
		return &VersionError{Path: s.place, Found: uint32(newer.Found), Supported: formatVersion, Writer: "of a later version", Reader: s.program}
	}
	return err
}

// Serial returns the number of the newest transaction.
func (s *remote) Serial(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	var at chain.Position
	var serial uint64
	if s.seen != nil {
		at, serial = s.seen.position(), s.seen.meta.Serial
	}
	s.mu.Unlock()
	if at.Serial > 0 {
		v, err := s.chain.Follow(ctx, at)
		if err == nil && len(v.Records) == 0 {
			return serial, nil
		}
	}
	h, err := s.head(ctx)
	if err != nil {
		return 0, err
	}
	return h.meta.Serial, h.close()
}

// Try sends requests that a store must refuse.
func (s *remote) Try(ctx context.Context) error { return s.chain.Try(ctx) }

// CheckObjects returns nil: objects lie in the state's own place.
func (s *remote) CheckObjects(*Snapshot) error { return nil }

// NewObject begins an object under the lease of the session there is.
func (s *remote) NewObject(ctx context.Context) *ObjectWriter {
	return newObject(ctx, s, s.o.InlineLimit)
}

// create begins a bulky object.
func (s *remote) create(ctx context.Context) (objectFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return nil, errNotLocked
	}
	return &remoteObject{s.chain.NewObject(ctx, s.session.Generation())}, nil
}

// remoteObject is a bulky object that is being written.
type remoteObject struct{ *chain.ObjectWriter }

func (o *remoteObject) finish(_ context.Context, digest string) (string, error) {
	defer o.Abort()
	ref, err := o.Commit()
	if err == nil && ref.Digest.String() != digest {
		err = fmt.Errorf("object %s was sent as one with the digest %s", digest, ref.Digest)
	}
	return ref.Name, err
}

func (o *remoteObject) abort() error {
	o.Abort()
	return nil
}

// OpenObject opens an object of the Snapshot that was loaded last, by the holder of the
// lease or any reader.
func (s *remote) OpenObject(ctx context.Context, ref Ref) (*Object, error) {
	if !validDigest(ref.Digest) {
		return nil, fmt.Errorf("open object: %q is not the digest of one", ref.Digest)
	}
	if ref.Name == "" {
		return s.openSmall(ctx, ref)
	}
	h, err := s.chain.OpenObject(ctx, ref.Name, ref.Size)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.missing(ctx, ref)
	case err != nil:
		return nil, &ObjectError{Ref: ref, State: s.place, Err: err}
	}
	return &Object{ref: ref, place: s.place, src: h, end: h}, nil
}

func (s *remote) openSmall(ctx context.Context, ref Ref) (*Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range []*replica{s.session.working(), s.seen} {
		if r == nil {
			continue
		}
		payload, err := r.small(ref.Digest)
		if err != nil {
			return nil, &ObjectError{Ref: ref, State: s.place, Err: err}
		}
		if payload != nil {
			return smallObject(ctx, ref, s.place, payload)
		}
	}
	return nil, &ObjectError{Ref: ref, State: s.place, Missing: true, Err: errors.New("it is not inside the state, where it should be")}
}

// missing tells an object that was let go, since the state was loaded, from one that
// should be there.
func (s *remote) missing(ctx context.Context, ref Ref) error {
	s.mu.Lock()
	at := s.seen.positionOf(s.session.working())
	s.mu.Unlock()
	err := s.chain.Missing(ctx, ref.Name, at)
	if errors.Is(err, chain.ErrBeginAgain) {
		return fmt.Errorf("object %s: %w", ref.Name, err)
	}
	return &ObjectError{Ref: ref, State: s.place, Missing: true, Err: err}
}

// positionOf is where the newer one of two replicas stands, which may be nil.
func (r *replica) positionOf(other *replica) chain.Position {
	switch {
	case other != nil:
		return other.position()
	case r != nil:
		return r.position()
	}
	return chain.Position{}
}

// pinTime is how long a look at an object may take.
const pinTime = 30 * time.Second

// ObjectPin tells whether an object was replaced.
func (s *remote) ObjectPin(ref Ref) string {
	if ref.Name == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), pinTime)
	defer cancel()
	h, err := s.chain.OpenObject(ctx, ref.Name, ref.Size)
	if err != nil {
		return ""
	}
	defer h.Close()
	o := h.Object()
	return fmt.Sprintf("%d-%s-%d", o.Size, o.Pin, o.ModTime.UnixNano())
}

// errNotLocked says that something needs the lease and there is none.
var errNotLocked = errors.New("the lock of the state is not held")

// hostName is this machine's name in records.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}
