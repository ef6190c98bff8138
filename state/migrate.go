package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A state is moved in four steps, under the locks of both places: its content and
// objects are copied, in one transaction that marks the new place as not open yet; the
// copy is proved; the old place is closed by a last record that names the new one; the
// new place is opened. The two are never open at the same time. A
// move that was killed is finished by starting it again.

// LockBoth takes the locks of two states: of the one to be moved and of the place that it
// is to be moved to. Generations there go on above those here.
func LockBoth(ctx context.Context, from, to *Store, holder Holder, wait time.Duration) (*Lock, *Lock, error) {
	a, err := from.Lock(ctx, holder, wait)
	if err != nil {
		return nil, nil, err
	}
	to.ExceedGeneration(a.Generation())
	b, err := to.Lock(a.Context(ctx), holder, wait)
	if err != nil {
		return nil, nil, errors.Join(err, a.Unlock())
	}
	return a, b, nil
}

// Side is one of the two places of a migration, and its lock.
type Side struct {
	Store *Store
	Lock  *Lock
}

// load returns the content, whether or not it is open.
func (s Side) load(ctx context.Context) (*Snapshot, error) { return s.Lock.Session.Load(ctx) }

// Migrated is what a migration did.
type Migrated struct {
	Lineage string
	Serial  uint64 // of the state where it is
	Objects int    // that were copied
	Bytes   int64  // of these
	Done    bool   // it had been moved before
}

// Migrate moves a state. It fails, and changes nothing, where another state stands at the
// new place, or an open one of the same lineage.
func Migrate(ctx context.Context, from, to Side) (*Migrated, error) {
	old, err := from.load(ctx)
	if err != nil {
		return nil, err
	}
	there, err := to.load(ctx)
	if err != nil {
		return nil, err
	}
	m := &migration{from: from, to: to, old: old}
	closed, err := m.judge(there)
	if err != nil {
		return nil, err
	}
	out := &Migrated{Lineage: old.Lineage, Done: closed && there.Arriving == ""}
	if !closed {
		if err := m.copy(ctx, out); err != nil {
			return nil, fmt.Errorf("copy state %s to %s: %w", from.Store.Place(), to.Store.Place(), err)
		}
		if err := m.prove(ctx); err != nil {
			return nil, fmt.Errorf("the copy of state %s at %s is not what it should be: %w; the state stays where it is", from.Store.Place(), to.Store.Place(), err)
		}
		if err := from.Lock.Update(ctx, func(tx *Tx) error { return setSuccessor(tx, to.Store.Place()) }); err != nil {
			return nil, err
		}
	}
	if err := to.Lock.Update(ctx, func(tx *Tx) error { return setArriving(tx, "") }); err != nil {
		return nil, err
	}
	head, err := to.Lock.Head(ctx)
	out.Serial = head.Serial
	return out, err
}

type migration struct {
	from, to Side
	old      *Snapshot
}

// judge says whether the old place is closed already, or why the state cannot be moved.
func (m *migration) judge(there *Snapshot) (closed bool, err error) {
	from, to, old := m.from.Store.Place(), m.to.Store.Place(), m.old
	switch {
	case old.Serial == 0:
		return false, fmt.Errorf("there is no state at %s: nothing was changed", from)
	case old.Arriving != "", old.Successor != "" && old.Successor != to:
		return false, &MovedError{Place: from, To: old.Successor, From: old.Arriving}
	case there.Serial > 0 && there.Lineage != old.Lineage:
		return false, &LineageError{Place: to, Lineage: there.Lineage, What: "the state " + from, Want: old.Lineage}
	case old.Successor == to && there.Serial == 0:
		return false, fmt.Errorf("the state %s was moved to %s and is closed, but there is none: bring that one back; nothing was changed", from, to)
	case old.Successor == to:
		return true, nil
	case there.Arriving != "" && there.Arriving != from:
		return false, &MovedError{Place: to, From: there.Arriving}
	case there.Serial > 0 && there.Arriving == "" && there.Successor == "":
		return false, fmt.Errorf("%s (serial %d) and %s (serial %d) both hold an open state of lineage %s: move the one that is older aside; nothing was changed",
			from, old.Serial, to, there.Serial, old.Lineage)
	}
	return false, nil
}

// copy writes the whole content to the new place, where it is not open yet.
func (m *migration) copy(ctx context.Context, out *Migrated) error {
	if _, err := m.to.Lock.Session.Over(ctx, m.old.Lineage); err != nil { // objects go to a state of this lineage
		return err
	}
	sealed, err := m.copyObjects(ctx, out)
	if err != nil {
		return err
	}
	m.old.EachRef(func(r *Ref) {
		if o := sealed[r.ID()]; o != nil {
			r.Name = o.Ref.Name
		}
	})
	return m.to.Lock.Replace(ctx, m.old.Lineage, m.old.Serial, func(tx *Tx) error {
		tx.changes.Generation = max(tx.changes.Generation, m.from.Lock.Generation())
		errs := []error{tx.PutAll(m.old), setArriving(tx, m.from.Store.Place())}
		for _, o := range sealed {
			errs = append(errs, tx.PutObject(o))
		}
		return errors.Join(errs...)
	})
}

// objectsAtOnce is how many objects are copied or read side by side.
const objectsAtOnce = 8

// copyObjects copies each object that the state names, by its ID.
func (m *migration) copyObjects(ctx context.Context, out *Migrated) (map[string]*Sealed, error) {
	var mu sync.Mutex
	sealed := map[string]*Sealed{}
	err := eachObject(ctx, m.old, func(ctx context.Context, ref Ref) error {
		o, err := m.copyObject(ctx, ref)
		mu.Lock()
		defer mu.Unlock()
		sealed[ref.ID()] = o
		out.Objects, out.Bytes = out.Objects+1, out.Bytes+ref.Size
		return err
	})
	return sealed, err
}

// eachObject calls do with each object of a snapshot, several side by side.
func eachObject(ctx context.Context, snap *Snapshot, do func(context.Context, Ref) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(objectsAtOnce)
	seen := map[string]bool{}
	for ref := range snap.Refs() {
		if seen[ref.ID()] {
			continue
		}
		seen[ref.ID()] = true
		g.Go(func() error { return do(ctx, ref) })
	}
	return g.Wait()
}

func (m *migration) copyObject(ctx context.Context, ref Ref) (_ *Sealed, err error) {
	src, err := m.from.Store.OpenObject(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	w := m.to.Store.NewObject(ctx)
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(src, 0, ref.Size), make([]byte, verifyAtOnce)); err != nil {
		return nil, errors.Join(src.Damaged(err), w.Abort())
	}
	o, err := w.Close(ctx)
	if err == nil && (o.Ref.Digest != ref.Digest || o.Ref.Size != ref.Size) {
		err = src.Damaged(fmt.Errorf("its content has the digest %s", o.Ref.Digest))
	}
	return o, err
}

// prove reads both places again: all records have to be equal but for the names of
// objects, and each object has to have its digest.
func (m *migration) prove(ctx context.Context) (err error) {
	a, err := m.from.load(ctx)
	if err != nil {
		return err
	}
	b, err := m.to.Store.Backend.Load(ctx) // as another process would
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	err = eachObject(ctx, b, func(ctx context.Context, ref Ref) error {
		o, err := m.to.Store.OpenObject(ctx, ref)
		if err != nil {
			return err
		}
		return errors.Join(o.Verify(ctx), o.Close())
	})
	if err != nil {
		return err
	}
	return sameRecords(a, b)
}

// sameRecords compares all records of two states but for the names of objects, which it
// takes away.
func sameRecords(a, b *Snapshot) error {
	for _, s := range []*Snapshot{a, b} {
		s.EachRef(func(r *Ref) { r.Name = "" })
		s.Successor, s.Arriving = "", ""
	}
	for _, part := range []struct {
		what string
		a, b any
	}{
		{"lineages", a.Lineage, b.Lineage}, {"tables", a.Tables, b.Tables}, {"partitions", a.Partitions, b.Partitions}, {"dumps", a.Dumps, b.Dumps},
		{"mappings", a.Mapping, b.Mapping}, {"holds", a.Holds, b.Holds}, {"publish lists", a.Publishes, b.Publishes},
		{"settings", a.Settings, b.Settings}, {"facts", a.Facts, b.Facts}, {"manifests", a.Manifests, b.Manifests},
	} {
		if !reflect.DeepEqual(part.a, part.b) {
			return fmt.Errorf("its %s differ", part.what)
		}
	}
	return nil
}
