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
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/chain"
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

// backupTries is how often a state that moves on is copied again.
const backupTries = 5

// Make makes a place a backup of the newest content, beside whatever applies run. What
// is there already is not copied again, and what it does not need goes when it is done;
// until then the backup that was there stands. A place that has a backup of another
// lineage, or a newer one of this state, is refused.
//
// Objects that are there are proved by their digests. With trust those are taken for
// proved that an earlier backup has proved, if their pins are the same.
func Make(ctx context.Context, s *state.Store, to Place, trust bool) (*Result, error) {
	return makeTo(ctx, s, to, options{trust: trust})
}

// options say how a backup is made.
type options struct {
	trust   bool
	lenient bool             // objects that the state lacks are left out
	known   []ManifestObject // that another backup beside this one has
}

func makeTo(ctx context.Context, s *state.Store, to Place, o options) (*Result, error) {
	for n := 1; ; n++ {
		w := &writer{store: s, to: to, options: o, pins: map[string]string{}, listed: map[string]blob.Object{}}
		w.knows(o.known)
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
	options
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
	if err := w.readExisting(ctx); err != nil {
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

// readExisting finds what is there already.
func (w *writer) readExisting(ctx context.Context) error {
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
