package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/kv"
)

// Result says what a backup came to.
type Result struct {
	Place   string
	Serial  uint64
	Lineage string
	Objects int   // that it names
	Copied  int   // of them that were not there yet
	Bytes   int64 // that were written
	// Warnings say what is not as it should be without harm to the backup.
	Warnings []string
}

// copyAtOnce is the size in bytes of the pieces in which objects are read and copied.
const copyAtOnce = 256 << 10

// backupTries is how often a state that moves on is copied anew.
const backupTries = 5

// Make makes a place a backup of the newest content, beside whatever applies run. What
// is there already is not copied again, and what it does not need goes when it is done;
// until then the backup that was there stands. A place that has a backup of another
// lineage, or a newer one of this state, is refused.
//
// Objects that are there are proved by their digests. With trust those are taken for
// proved that an earlier backup has proved, if their pins are the same.
func Make(ctx context.Context, s *state.Store, to Place, trust bool) (*Result, error) {
	return makeTo(ctx, s, to, how{trust: trust})
}

// how says how a backup is made.
type how struct {
	trust   bool
	lenient bool             // objects that the state lacks are left out
	known   []ManifestObject // that another backup beside this one has
}

func makeTo(ctx context.Context, s *state.Store, to Place, h how) (*Result, error) {
	for n := 1; ; n++ {
		w := &writer{store: s, to: to, how: h, pins: map[string]string{}, listed: map[string]blob.Object{}}
		w.knows(h.known)
		err := w.run(ctx)
		if err == nil {
			return &w.out, nil
		}
		if !errors.Is(err, chain.ErrBeginAgain) || n == backupTries {
			return nil, fmt.Errorf("back up state %s to %s: %w", s.Place(), to, err)
		}
	}
}

// writer writes one backup.
type writer struct {
	how
	store  *state.Store
	to     Place
	copy   *state.Copy
	cond   blob.Cond              // that the backup which was there still stands
	pins   map[string]string      // of objects that were proved once, by digest
	listed map[string]blob.Object // what lay there before, by key
	made   Manifest
	mu     sync.Mutex // of made and out while objects are copied
	out    Result
}

func (w *writer) run(ctx context.Context) (err error) {
	w.made.Time = time.Now().UTC().Truncate(time.Second)
	if w.copy, err = w.store.Copy(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.copy.Close()) }()
	if w.copy.Serial == 0 {
		return errors.New("there is no state there yet, and nothing to back up")
	}
	if err := w.look(ctx); err != nil {
		return err
	}
	if err := w.objects(ctx); err != nil {
		return err
	}
	if err := w.file(ctx); err != nil {
		return err
	}
	return w.finish(ctx)
}

func (w *writer) knows(objects []ManifestObject) {
	for _, o := range objects {
		w.pins[o.Digest] = o.Pin
	}
}

// look finds what is there already.
func (w *writer) look(ctx context.Context) error {
	old, pin, err := w.to.ReadManifest(ctx)
	switch {
	case errors.Is(err, ErrNone):
		w.cond = blob.Absent()
	case errors.Is(err, state.ErrDamaged):
		w.cond = blob.Match(pin)
		w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("%v: it is replaced", err))
	case err != nil:
		return err
	case old.Lineage != w.copy.Lineage:
		return fmt.Errorf("there is a backup of a state of lineage %s, and this state is of lineage %s: choose another place", old.Lineage, w.copy.Lineage)
	case old.Serial > w.copy.Serial:
		return fmt.Errorf("there is a backup of this state as of commit %d, and the state is at commit %d: it is newer than the state; restore it, or choose another place", old.Serial, w.copy.Serial)
	default:
		w.cond = blob.Match(pin)
		w.knows(old.Objects)
	}
	for _, folder := range []string{w.to.key(backupFiles), w.to.objects()} {
		list, err := w.to.Store.List(ctx, folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, o := range list {
			w.listed[o.Key] = o
		}
	}
	return nil
}

// backupsAtOnce hides the latency of the store.
const backupsAtOnce = 8

// objects brings all objects that the state names to the backup.
func (w *writer) objects(ctx context.Context) error {
	inside := w.copy.Inline()
	seen := map[string]bool{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(backupsAtOnce)
	for ref := range w.copy.Refs() {
		if seen[ref.Digest] || !kv.ValidDigest(ref.Digest) {
			continue
		}
		seen[ref.Digest] = true
		if inside[ref.Digest] {
			if err := w.inside(ref); err != nil {
				return errors.Join(err, g.Wait())
			}
			continue
		}
		g.Go(func() error { return w.object(gctx, ref) })
	}
	return g.Wait()
}

// inside proves an object that is inside the file.
func (w *writer) inside(ref state.Ref) error {
	payload, err := w.copy.File.Small(ref.Digest)
	if err == nil && digestHex(payload) == ref.Digest {
		return nil
	}
	if err == nil {
		err = errors.New("its content is another one")
	}
	return w.lack(&state.ObjectError{Ref: ref, State: w.store.Place(), Err: err})
}

// lack notes an object that the state does not have.
func (w *writer) lack(err error) error {
	var bad *state.ObjectError
	if !w.lenient || !errors.As(err, &bad) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made.Lacks = append(w.made.Lacks, bad.Ref.Digest)
	w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("the backup lacks what the state lacks: %v", err))
	return nil
}

// object brings one object to the backup, unless it is there.
func (w *writer) object(ctx context.Context, ref state.Ref) error {
	key := w.to.objectKey(ref.Digest)
	there, ok := w.listed[key]
	if ok && there.Size == ref.Size {
		proved := w.trust && there.Pin != "" && there.Pin == w.pins[ref.Digest]
		if !proved {
			digest, _, err := digestOfKey(ctx, w.to.Store, key)
			if err != nil {
				return err
			}
			proved = digest == ref.Digest
		}
		if proved {
			w.has(ref, there.Pin, false)
			return nil
		}
	}
	if err := failpoint.Hit(ctx, failpoint.BackupObject); err != nil {
		return err
	}
	o, err := w.copyObject(ctx, ref, key)
	if err != nil {
		return w.lack(err)
	}
	w.has(ref, o.Pin, true)
	return nil
}

// has notes an object that the backup has.
func (w *writer) has(ref state.Ref, pin string, copied bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made.Objects = append(w.made.Objects, ManifestObject{Digest: ref.Digest, Size: ref.Size, Pin: pin})
	if w.out.Objects++; copied {
		w.out.Copied++
		w.out.Bytes += ref.Size
	}
}

// copyObject copies an object of the state, of which the digest is proved before it gets
// its name.
func (w *writer) copyObject(ctx context.Context, ref state.Ref, key string) (blob.Object, error) {
	from, err := w.store.OpenObject(ctx, ref)
	if err != nil {
		return blob.Object{}, err
	}
	defer from.Close()
	to, err := w.to.Store.Create(ctx, key, blob.Cond{})
	if err != nil {
		return blob.Object{}, err
	}
	defer to.Abort()
	sum := sha256.New()
	src := &sourceReader{r: io.NewSectionReader(from, 0, from.Size())}
	n, err := io.CopyBuffer(io.MultiWriter(to, sum), src, make([]byte, copyAtOnce))
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case src.err != nil:
		return blob.Object{}, from.Damaged(src.err)
	case err != nil:
		return blob.Object{}, err
	case n != ref.Size:
		return blob.Object{}, from.Damaged(fmt.Errorf("it ends after %d bytes instead of %d", n, ref.Size))
	case got != ref.Digest:
		return blob.Object{}, from.Damaged(fmt.Errorf("its content has the digest %s", got))
	}
	return to.Commit()
}

// sourceReader tells errors of what is read from those of what is written.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// file writes the state's file under a name that no other one has.
func (w *writer) file(ctx context.Context) error {
	r := io.NewSectionReader(w.copy.File, 0, w.copy.File.Size())
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return fmt.Errorf("read the copy of the state: %w", err)
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	w.made.File = StateFile{Name: stateFileName(digest), Size: w.copy.File.Size(), Digest: digest}
	if err := failpoint.Hit(ctx, failpoint.BackupFile); err != nil {
		return err
	}
	to, err := w.to.Store.Create(ctx, w.to.key(w.made.File.Name), blob.Cond{})
	if err != nil {
		return err
	}
	defer to.Abort()
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{to}, r, make([]byte, copyAtOnce)); err != nil {
		return err
	}
	w.out.Bytes += w.copy.File.Size()
	_, err = to.Commit()
	return err
}

// finish makes the backup count, and removes what it does not need.
func (w *writer) finish(ctx context.Context) error {
	w.made.Format, w.made.Lineage, w.made.Serial, w.made.Program = backupFormat, w.copy.Lineage, w.copy.Serial, w.copy.By
	w.made.Folder = backupObjects
	if w.to.Shared {
		w.made.Folder = sharedObjects
	}
	data, err := w.made.encode()
	if err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, failpoint.BackupManifest); err != nil {
		return err
	}
	_, err = blob.Put(ctx, w.to.Store, w.to.key(manifestName), data, w.cond)
	if errors.Is(err, blob.ErrUnsupported) {
		_, err = blob.Put(ctx, w.to.Store, w.to.key(manifestName), data, blob.Cond{})
	}
	if errors.Is(err, blob.ErrConflict) {
		return fmt.Errorf("another backup was made there meanwhile: run again: %w", err)
	} else if err != nil {
		return err
	}
	w.out.Place, w.out.Serial, w.out.Lineage = w.to.String(), w.copy.Serial, w.copy.Lineage
	if err := failpoint.Hit(ctx, failpoint.BackupClean); err != nil {
		return err
	}
	w.clean(ctx)
	return nil
}

// clean removes what lay there before and is not needed. Objects that backups share
// are for pruneKept.
func (w *writer) clean(ctx context.Context) {
	needed := map[string]bool{w.to.key(w.made.File.Name): true}
	for _, o := range w.made.Objects {
		needed[w.to.objectKey(o.Digest)] = true
	}
	for key := range w.listed {
		name := path.Base(key)
		file := blob.Dir(key) == w.to.key(backupFiles) && kv.ValidDigest(strings.TrimSuffix(name, ".db")) && strings.HasSuffix(name, ".db")
		object := blob.Dir(key) == w.to.objects() && kv.ValidDigest(name) && !w.to.Shared
		if (file || object) && !needed[key] {
			w.remove(ctx, key)
		}
	}
	for _, folder := range []string{w.to.key(backupFiles), w.to.objects()} {
		err := w.to.Store.Tidy(ctx, blob.Leftovers{Prefix: folder}) // of backups that were killed
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("what killed backups left stays there: %v", err))
		}
	}
}

// remove removes what is of no use any more; that it cannot is a warning.
func (w *writer) remove(ctx context.Context, key string) {
	if err := w.to.Store.Delete(ctx, key, blob.Cond{}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("what the backup does not need stays there: %v", err))
	}
}

func digestHex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// digestOfKey reads an object of a store for its digest and size.
func digestOfKey(ctx context.Context, s blob.Store, key string) (string, int64, error) {
	h, err := s.Open(ctx, key)
	if err != nil {
		return "", 0, err
	}
	defer h.Close()
	sum := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, io.NewSectionReader(h, 0, h.Object().Size), make([]byte, copyAtOnce))
	return hex.EncodeToString(sum.Sum(nil)), n, err
}
