package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/amount"
	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/files"
	"reconcile/state/internal/statefile"
)

// Backup is a backup that was proved whole. It belongs to its caller, who closes it.
type Backup struct {
	Manifest Manifest
	place    Place
	file     *statefile.Private
	snap     *state.Snapshot
	sizes    map[string]int64 // of the objects that it has, by digest
	lacks    map[string]bool
}

// Open reads a backup and proves all of it: the state's file, that every object
// which that names is there, and the digest of each. A *Error names what is not
// as it was written. A program reads backups of states up to a format; the zero value stands
// for its own.
func Open(ctx context.Context, p Place, program string, newest state.Format) (_ *Backup, err error) {
	m, _, err := p.ReadManifest(ctx)
	if err != nil {
		return nil, err
	}
	b := &Backup{Manifest: *m, place: p, file: statefile.Format{Place: p.String(), Program: program, Writes: newest}.NewPrivate(""), sizes: map[string]int64{}, lacks: map[string]bool{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	for _, o := range m.Objects {
		b.sizes[o.Digest] = o.Size
	}
	for _, digest := range m.Lacks {
		b.lacks[digest] = true
	}
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	return b, b.prove(ctx)
}

// Close gives up what lies on this machine.
func (b *Backup) Close() error { return b.file.Close() }

// open brings the state's file to this machine.
func (b *Backup) open(ctx context.Context) error {
	want := b.Manifest.File
	h, err := b.place.Store.Open(ctx, b.place.key(want.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return b.place.damaged(want.Name, "is missing")
	}
	if err != nil {
		return fmt.Errorf("read backup %s: %w", b.place, err)
	}
	defer h.Close()
	f, err := files.Temp("")
	if err != nil {
		return fmt.Errorf("read backup %s: %w", b.place, err)
	}
	sum := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(f, sum), io.NewSectionReader(h, 0, h.Object().Size), make([]byte, copyAtOnce))
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case err != nil:
		err = fmt.Errorf("read backup %s: %w", b.place, err)
	case n != want.Size:
		err = b.place.damaged(want.Name, "has %s instead of %s", amount.Of(n, "byte"), amount.Number(want.Size))
	case got != want.Digest:
		err = b.place.damaged(want.Name, "has the digest %s instead of %s", got, want.Digest)
	default:
		err = b.file.Open(f)
	}
	if err != nil {
		return errors.Join(b.ofFile(err), f.Close())
	}
	if b.snap, err = b.file.Load(); err != nil {
		return b.ofFile(err)
	}
	if b.snap.Lineage != b.Manifest.Lineage || b.snap.Serial != b.Manifest.Serial {
		return b.place.damaged(manifestName, "says lineage %s, commit %d, and the state's file is of lineage %s, commit %d",
			b.Manifest.Lineage, b.Manifest.Serial, b.snap.Lineage, b.snap.Serial)
	}
	return nil
}

// ofFile makes what is wrong with the state's file an error of the backup.
func (b *Backup) ofFile(err error) error {
	var bad *state.DamagedError
	if errors.As(err, &bad) {
		return b.place.damaged(b.Manifest.File.Name, "is no whole state: %s", bad.Reason)
	}
	return err
}

// each calls fn, for several objects at once, with every object that the state in the
// backup names and has, once.
func (b *Backup) each(ctx context.Context, fn func(ctx context.Context, ref state.Ref, inside bool) error) error {
	inside, seen := b.snap.Inline(), map[string]bool{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(backupsAtOnce)
	for ref := range b.snap.Refs() {
		if seen[ref.Digest] || b.lacks[ref.Digest] {
			continue
		}
		seen[ref.Digest] = true
		g.Go(func() error { return fn(gctx, ref, inside[ref.Digest]) })
	}
	return g.Wait()
}

// prove proves all objects.
func (b *Backup) prove(ctx context.Context) error {
	return b.each(ctx, func(ctx context.Context, ref state.Ref, inside bool) error {
		return b.read(ctx, ref, inside, io.Discard)
	})
}

// read writes the bytes of an object to w, and fails unless they are those of its digest.
func (b *Backup) read(ctx context.Context, ref state.Ref, inside bool, w io.Writer) error {
	if inside {
		payload, err := b.file.Small(ref.Digest)
		if err == nil && digestHex(payload) != ref.Digest {
			err = b.place.damaged(b.Manifest.File.Name, "holds the object %s with another content", ref.Digest)
		}
		if err == nil {
			_, err = w.Write(payload)
		}
		return b.ofFile(err)
	}
	name := b.Manifest.Folder + "/" + ref.Digest
	if size, ok := b.sizes[ref.Digest]; !ok || size != ref.Size {
		return b.place.damaged(manifestName, "does not name the object %s of %s", ref.Digest, amount.Of(ref.Size, "byte"))
	}
	h, err := b.place.Store.Open(ctx, b.place.objectKey(ref.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return b.place.damaged(name, "is missing")
	}
	if err != nil {
		return fmt.Errorf("read backup %s: %w", b.place, err)
	}
	defer h.Close()
	sum := sha256.New()
	src := &sourceReader{r: io.NewSectionReader(h, 0, h.Object().Size)}
	n, err := io.CopyBuffer(io.MultiWriter(w, sum), src, make([]byte, copyAtOnce))
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case src.err != nil:
		return fmt.Errorf("read backup %s: %w", b.place, src.err)
	case err != nil:
		return err
	case n != ref.Size:
		return b.place.damaged(name, "has %s instead of %s", amount.Of(n, "byte"), amount.Number(ref.Size))
	case got != ref.Digest:
		return b.place.damaged(name, "has the digest %s", got)
	}
	return nil
}

// Restore puts the content of a backup in the place of all that the state holds, in one
// transaction of a lock of LockOver, and returns its serial. It is to be called on the
// state that the lock is of. What Replace says of lineages, serials and errors holds;
// the serial is also above that of the backup.
func Restore(ctx context.Context, s *state.Store, l *state.Lock, b *Backup, above uint64) (serial uint64, err error) {
	err = l.Replace(ctx, b.snap.Lineage, max(above, b.snap.Serial), func(tx *state.Tx) error {
		serial = tx.Serial()
		made, err := takeObjects(ctx, s, b)
		if err != nil {
			return err
		}
		for _, o := range made {
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		b.snap.EachRef(func(ref *state.Ref) {
			ref.Name = ""
			if o := made[ref.Digest]; o != nil {
				ref.Name = o.Ref.Name
			}
		})
		return tx.PutAll(b.snap)
	})
	if err != nil {
		return 0, fmt.Errorf("restore state %s from %s: %w", s.Place(), b.place, err)
	}
	return serial, nil
}

// takeObjects writes the objects of a backup as objects of the state, by digest.
func takeObjects(ctx context.Context, s *state.Store, b *Backup) (map[string]*state.Sealed, error) {
	made := map[string]*state.Sealed{}
	var mu sync.Mutex
	err := b.each(ctx, func(ctx context.Context, ref state.Ref, inside bool) error {
		if err := failpoint.Hit(ctx, failpoint.RestoreObject); err != nil {
			return err
		}
		w := s.NewObject(ctx)
		if err := b.read(ctx, ref, inside, w); err != nil {
			return errors.Join(err, w.Abort())
		}
		o, err := w.Close(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		made[ref.Digest] = o
		return nil
	})
	return made, err
}
