package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
)

// Write is one transaction to be written to a file.
type Write struct {
	Changes  *kv.Changes
	Meta     Meta // of the state after it, with the tallies of the file before
	Collects bool // small objects may go
	// Before is called when all is ready to commit; its error gives the transaction up.
	Before func() error
}

// Write applies w to f, which is empty or was proved to be sound. It reports whether the
// transaction counts, whatever the error: one that changes nothing is not written. f is
// closed and its lock dropped whatever happens.
func (s Format) Write(f *os.File, w Write) (committed bool, err error) {
	err = boltfile.Guard(func() error {
		db, err := s.openBolt(f, false)
		if err != nil {
			return err
		}
		committed, err = w.run(db)
		return errors.Join(err, db.Close())
	})
	if !errors.Is(err, boltfile.ErrCorrupt) {
		return committed, err
	}
	// bbolt panicked and left its mapping behind, which holds the lock.
	_ = files.Release(f)
	return committed, s.damaged(err)
}

// run commits the transaction, unless it changes nothing.
func (w Write) run(db *bolt.DB) (committed bool, err error) {
	btx, err := db.Begin(true)
	if err != nil {
		return false, err
	}
	into := &writer{changes: w.Changes, meta: w.Meta, collects: w.Collects}
	if err := into.apply(btx); err != nil {
		return false, errors.Join(err, btx.Rollback())
	}
	if !into.changed {
		return false, btx.Rollback()
	}
	if err := w.Before(); err != nil {
		return false, errors.Join(err, btx.Rollback())
	}
	if err := btx.Commit(); err != nil {
		return false, err
	}
	return true, nil
}

// openBolt hands f to bbolt, which closes it with the database.
func (s Format) openBolt(f *os.File, readOnly bool) (*bolt.DB, error) {
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

// compactTx is how many bytes of the copy are in memory at a time.
const compactTx = 64 << 20

// Compact copies src to dst without its free pages. Both are closed.
func (s Format) Compact(dst, src *os.File) error {
	return s.damaged(boltfile.Guard(func() error { return s.compact(dst, src) }))
}

func (s Format) compact(dst, src *os.File) error {
	from, err := s.openBolt(src, true)
	if err != nil {
		return err
	}
	to, err := s.openBolt(dst, false)
	if err != nil {
		return errors.Join(err, from.Close())
	}
	err = bolt.Compact(to, from, compactTx)
	return errors.Join(err, to.Close(), from.Close())
}
