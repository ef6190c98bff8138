package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/boltfile"
)

// Head returns the serial and the lineage of the file, or the lineage of a state about
// to be made.
func (l *localLock) Head(ctx context.Context) (Head, error) {
	if err := l.check(); err != nil {
		return Head{}, err
	}
	meta, _, err := l.currentMeta(ctx)
	return Head{Serial: meta.Serial, Lineage: meta.Lineage, Generation: meta.Generation}, err
}

// Commit applies a transaction to the file, in one transaction of bbolt. An error
// behind the commit itself (of the failpoint there, or of closing the file) leaves it
// in place.
func (l *localLock) Commit(ctx context.Context, tx *Tx) (Outcome, error) {
	if err := l.check(); err != nil {
		return Refused, err
	}
	if tx.replaces {
		return l.replace(ctx, tx)
	}
	meta, exists, err := l.currentMeta(ctx)
	if err != nil {
		return Refused, err
	}
	if meta.Serial != tx.before || exists && meta.Lineage != tx.lineage {
		return Refused, fmt.Errorf("state file %s was replaced meanwhile", l.store.path)
	}
	meta.follow(tx, l.store.program)
	if exists {
		return l.store.commit(ctx, tx, meta)
	}
	return l.store.createState(ctx, tx, meta)
}

// follow makes m the record of the state after a transaction.
func (m *metaRecord) follow(tx *Tx, program string) {
	m.Serial, m.Lineage, m.Format, m.Program = tx.serial, tx.lineage, formatVersion, program
	m.Generation = max(m.Generation, tx.generation)
}

// currentMeta returns the meta record, or that of a state about to be made.
func (l *localLock) currentMeta(ctx context.Context) (metaRecord, bool, error) {
	var meta metaRecord
	exists, err := l.store.view(ctx, func(v *boltfile.View) error {
		var err error
		meta, err = l.store.readMeta(v)
		return err
	})
	if err != nil {
		return metaRecord{}, false, err
	}
	if !exists {
		meta.Lineage = l.store.firstLineage()
	}
	return meta, exists, nil
}

// commit applies tx to the state file, which it proves to be sound, and to be that which
// tx comes behind, first.
func (s *local) commit(ctx context.Context, tx *Tx, meta metaRecord) (Outcome, error) {
	f, err := s.openFile(ctx, os.O_RDWR, unix.LOCK_EX)
	if err != nil {
		return Refused, err
	}
	if f == nil {
		return Refused, fmt.Errorf("state file %s was removed meanwhile", s.path)
	}
	defer f.Close()
	err = boltfile.Read(f, func(v *boltfile.View) error {
		now, err := s.verify(v, nil)
		if err == nil && (now.Serial != tx.before || now.Lineage != tx.lineage) {
			err = fmt.Errorf("state file %s was replaced meanwhile", s.path)
		}
		meta.Tallies = now.Tallies
		return err
	})
	if err != nil {
		return Refused, errors.Join(s.damaged(err), unix.Flock(int(f.Fd()), unix.LOCK_UN))
	}
	collects, done, err := s.guardInline(tx)
	if err != nil {
		return Refused, errors.Join(err, unix.Flock(int(f.Fd()), unix.LOCK_UN))
	}
	defer done()
	w := &writer{tx: tx, meta: meta, collects: collects}
	written, err := s.write(f, w, func() error { return failpoint.Hit(ctx, failpoint.StateCommitBefore) })
	switch {
	case err == nil && written:
		return Done, failpoint.Hit(ctx, failpoint.StateCommitAfter)
	case err == nil || w.committed:
		return Done, err
	}
	return Refused, err
}

// createState makes the state file with its first transaction under another name:
// the rename is the commit, so there never is a file without content.
func (s *local) createState(ctx context.Context, tx *Tx, meta metaRecord) (Outcome, error) {
	f, err := s.newFile()
	if err != nil {
		return Refused, err
	}
	meta.Tallies = map[string]tally{}
	written, err := s.write(f, &writer{tx: tx, meta: meta}, func() error { return nil })
	if err == nil && !written {
		return Done, removeIfThere(s.newPath())
	}
	if err == nil {
		err = failpoint.Hit(ctx, failpoint.StateCommitBefore)
	}
	if err == nil {
		err = rename(s.newPath(), s.path)
	}
	if err != nil {
		return Refused, errors.Join(err, removeIfThere(s.newPath()))
	}
	if err := failpoint.Hit(ctx, failpoint.StateCommitAfter); err != nil {
		return Done, err
	}
	return Done, s.newborn(ctx, meta.Lineage)
}

// newFile opens the file that is to become the state, without what a crash may
// have left of one.
func (s *local) newFile() (*os.File, error) {
	if err := removeIfThere(s.newPath()); err != nil {
		return nil, err
	}
	return os.OpenFile(s.newPath(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// write applies w to f, which is empty or was proved to be sound, and reports
// whether there was anything to write. before is called when all is ready to
// commit. f is closed and its lock dropped whatever happens.
func (s format) write(f *os.File, w *writer, before func() error) (written bool, err error) {
	err = boltfile.Guard(func() error {
		db, err := s.openBolt(f, false)
		if err != nil {
			return err
		}
		written, err = w.run(db, before)
		return errors.Join(err, db.Close())
	})
	if !errors.Is(err, boltfile.ErrCorrupt) {
		return written, err
	}
	// bbolt panicked and left its mapping behind, which holds the lock.
	_ = release(f)
	return false, s.damaged(err)
}

// openBolt hands f to bbolt, which closes it with the database.
func (s format) openBolt(f *os.File, readOnly bool) (*bolt.DB, error) {
	db, err := bolt.Open(f.Name(), 0o600, &bolt.Options{
		Timeout:      time.Second, // f is locked already
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
		ReadOnly:     readOnly,
		OpenFile:     func(string, int, fs.FileMode) (*os.File, error) { return f, nil },
	})
	if err != nil {
		return nil, fmt.Errorf("open state file %s: %w", f.Name(), err)
	}
	return db, nil
}

// writer applies the changes of a Tx to a bbolt file.
type writer struct {
	tx        *Tx
	meta      metaRecord
	collects  bool // small objects may go
	changed   bool
	committed bool
}

func (w *writer) run(db *bolt.DB, before func() error) (bool, error) {
	btx, err := db.Begin(true)
	if err != nil {
		return false, err
	}
	if err := w.apply(btx); err != nil {
		return false, errors.Join(err, btx.Rollback())
	}
	if !w.changed {
		return false, btx.Rollback()
	}
	if err := before(); err != nil {
		return false, errors.Join(err, btx.Rollback())
	}
	if err := btx.Commit(); err != nil {
		return false, err
	}
	w.committed = true
	return true, nil
}

func (w *writer) apply(btx *bolt.Tx) error {
	for b := range bucketCount {
		if err := w.applyBucket(btx, b); err != nil {
			return fmt.Errorf("write %s: %w", b, err)
		}
	}
	if !w.changed {
		return nil
	}
	return writeMeta(btx, w.meta)
}

func writeMeta(btx *bolt.Tx, meta metaRecord) error {
	m, err := btx.CreateBucketIfNotExists([]byte(bMeta.String()))
	if err != nil {
		return err
	}
	payload, err := encode(meta)
	if err != nil {
		return err
	}
	return m.Put([]byte(metaKey), seal(bMeta, []byte(metaKey), payload))
}

func (w *writer) applyBucket(btx *bolt.Tx, b bucket) error {
	bb, err := btx.CreateBucketIfNotExists([]byte(b.String()))
	if err != nil {
		return err
	}
	t := w.meta.Tallies[b.String()]
	if w.tx.replaces {
		if err := w.clear(bb, &t, b); err != nil {
			return err
		}
	}
	if b == bPartitions {
		if err := w.wipe(bb, &t); err != nil {
			return err
		}
	}
	if b == bInline && w.collects {
		if err := w.collect(bb, &t); err != nil {
			return err
		}
	}
	for _, key := range w.tx.sortedKeys(b) {
		if err := w.set(bb, &t, []byte(key), w.tx.puts[b][key]); err != nil {
			return err
		}
	}
	w.meta.Tallies[b.String()] = t
	return nil
}

// set puts a value, or deletes the key when it is nil, and keeps the tally.
func (w *writer) set(bb *bolt.Bucket, t *tally, key, value []byte) error {
	old := bb.Get(key)
	if bytes.Equal(old, value) && (old == nil) == (value == nil) {
		return nil
	}
	w.changed = true
	if old != nil {
		sum, err := storedSum(old)
		if err != nil {
			return err
		}
		t.remove(key, sum)
	}
	if value == nil {
		return bb.Delete(key)
	}
	sum, err := storedSum(value)
	if err != nil {
		return err
	}
	t.add(key, sum)
	return bb.Put(key, value)
}

// wipe deletes the partitions of whole tables, except those that the
// transaction puts again.
func (w *writer) wipe(bb *bolt.Bucket, t *tally) error {
	var doomed [][]byte
	for _, prefix := range w.tx.wiped {
		c := bb.Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			if _, again := w.tx.puts[bPartitions][string(k)]; !again {
				doomed = append(doomed, bytes.Clone(k))
			}
		}
	}
	return w.deleteAll(bb, t, doomed)
}

// collect deletes the small objects that the transaction lets go, except those that it
// puts again.
func (w *writer) collect(bb *bolt.Bucket, t *tally) error {
	var doomed [][]byte
	for _, k := range w.tx.collect {
		if _, put := w.tx.puts[bInline][string(k)]; !put {
			doomed = append(doomed, k)
		}
	}
	return w.deleteAll(bb, t, doomed)
}

// clear deletes all records of a bucket, except those that the transaction puts again,
// and small objects that a reader may need.
func (w *writer) clear(bb *bolt.Bucket, t *tally, b bucket) error {
	w.changed = true // that it was replaced is a change
	if b == bInline && !w.collects {
		return nil
	}
	var doomed [][]byte
	c := bb.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if _, again := w.tx.puts[b][string(k)]; !again {
			doomed = append(doomed, bytes.Clone(k))
		}
	}
	return w.deleteAll(bb, t, doomed)
}

func (w *writer) deleteAll(bb *bolt.Bucket, t *tally, keys [][]byte) error {
	for _, k := range keys {
		if err := w.set(bb, t, k, nil); err != nil {
			return err
		}
	}
	return nil
}
