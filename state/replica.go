package state

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"

	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/chain"
)

// replica is a copy of a state of an object store, as of one record of its log: a file
// in the form of a local state that only this process sees. A file that goes bad is
// made anew from the store; nothing is synced.
//
// Its meta record says which record of the log it stands at, so that a cached file or
// a checkpoint cannot be taken for that of another one.
type replica struct {
	format
	f    *os.File // without a name; nil where there is no state
	meta metaRecord
}

// newReplica returns a replica of no state.
func (f format) newReplica() *replica {
	return &replica{format: f, meta: metaRecord{Tallies: map[string]tally{}}}
}

// tempFile makes a file that goes with its last handle.
func tempFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, tempPrefix+"state-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// position is the record that the replica stands at.
func (r *replica) position() chain.Position {
	p := chain.Position{Serial: r.meta.Slot}
	copy(p.Digest[:], r.meta.Record)
	return p
}

// open makes a file that was read from somewhere the content of the replica, when it is
// proved that it is whole.
func (r *replica) open(f *os.File) error {
	var meta metaRecord
	err := boltfile.Read(f, func(v *boltfile.View) (err error) {
		meta, err = r.verify(v, nil)
		return err
	})
	if err != nil {
		return r.damaged(err)
	}
	if r.f != nil {
		if err := r.f.Close(); err != nil {
			return err
		}
	}
	r.f, r.meta = f, meta
	return nil
}

// load decodes the whole content.
func (r *replica) load() (*Snapshot, error) {
	var content raw
	if r.f != nil {
		err := boltfile.Read(r.f, func(v *boltfile.View) error { return r.read(v, &content) })
		if err != nil {
			return nil, r.damaged(err)
		}
	}
	return r.decode(&content)
}

// small returns the content of an object that is inside the state, nil if there is no
// such.
func (r *replica) small(digest string) (payload []byte, err error) {
	key, err := hex.DecodeString(digest)
	if err != nil || r.f == nil {
		return nil, err
	}
	err = boltfile.Read(r.f, func(v *boltfile.View) error {
		value, err := v.Get(bInline.String(), key)
		if err != nil || value == nil {
			return err
		}
		p, _, err := unseal(bInline, key, value)
		payload = append([]byte{}, p...)
		return err
	})
	return payload, r.damaged(err)
}

// apply makes the replica that of the state after a record with a transaction.
func (r *replica) apply(tx *Tx, rec *chain.Record, dir string) error {
	if tx.before != r.meta.Serial && !tx.replaces || r.meta.Serial > 0 && tx.lineage != r.meta.Lineage {
		return fmt.Errorf("the transaction comes behind serial %d of lineage %s, the state is at %d of %s", tx.before, tx.lineage, r.meta.Serial, r.meta.Lineage)
	}
	_, err := r.run(tx, rec, dir, func() error { return nil })
	return err
}

// skip notes a record that changes nothing.
func (r *replica) skip(rec *chain.Record, dir string) error {
	r.meta.Lineage = rec.Lineage
	return r.update(dir, func(btx *bolt.Tx) error { return r.putMeta(btx, rec) })
}

// run applies the transaction of a record. When it is ready, before is called, whose
// error gives it up; after that, the record has its digest. It reports whether there
// was anything to write; if not, before is not called.
func (r *replica) run(tx *Tx, rec *chain.Record, dir string, before func() error) (written bool, err error) {
	meta := r.meta.clone()
	meta.follow(tx, rec.Program)
	w := &writer{tx: tx, meta: meta, collects: true}
	err = r.update(dir, func(btx *bolt.Tx) error {
		if err := w.apply(btx); err != nil || !w.changed {
			return err
		}
		if err := before(); err != nil {
			return err
		}
		written = true
		old := r.meta
		r.meta = w.meta
		if err := r.putMeta(btx, rec); err != nil {
			r.meta = old
			return err
		}
		return nil
	})
	return written, err
}

// putMeta writes the meta record for a record of the log.
func (r *replica) putMeta(btx *bolt.Tx, rec *chain.Record) error {
	digest := rec.Digest()
	r.meta.Slot, r.meta.Record, r.meta.Generation = rec.Serial, digest[:], rec.Generation
	r.meta.Format, r.meta.Program = formatVersion, rec.Program
	return writeMeta(btx, r.meta)
}

// update runs fn in one transaction of the file, which it makes if need be.
func (r *replica) update(dir string, fn func(*bolt.Tx) error) error {
	if r.f == nil {
		f, err := tempFile(dir)
		if err != nil {
			return fmt.Errorf("a copy of the state: %w", err)
		}
		r.f = f
	}
	err := boltfile.Guard(func() error {
		db, err := r.bolt(r.f, false)
		if err != nil {
			return err
		}
		return errors.Join(db.Update(fn), db.Close())
	})
	return r.damaged(err)
}

// bolt hands a handle of its own on f to bbolt.
func (r *replica) bolt(f *os.File, readOnly bool) (*bolt.DB, error) {
	own, err := duplicate(f)
	if err != nil {
		return nil, err
	}
	db, err := r.openBolt(own, readOnly)
	if err != nil {
		return nil, errors.Join(err, own.Close())
	}
	db.NoSync = true
	return db, nil
}

// compacted returns a copy of the file without free pages, and its size. The caller
// closes it.
func (r *replica) compacted(dir string) (*os.File, int64, error) {
	f, err := tempFile(dir)
	if err != nil {
		return nil, 0, err
	}
	err = boltfile.Guard(func() error {
		from, err := r.bolt(r.f, true)
		if err != nil {
			return err
		}
		to, err := r.bolt(f, false)
		if err != nil {
			return errors.Join(err, from.Close())
		}
		return errors.Join(bolt.Compact(to, from, compactTx), to.Close(), from.Close())
	})
	if err != nil {
		return nil, 0, errors.Join(r.damaged(err), f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// compact replaces the file by a compacted copy, which it returns the size of.
func (r *replica) compact(dir string) (int64, error) {
	f, size, err := r.compacted(dir)
	if err != nil {
		return 0, err
	}
	old := r.f
	r.f = f
	return size, old.Close()
}

// private replaces a replica by one with a file of its own and the same content.
func (r *replica) private(ctx context.Context, dir string) (_ *replica, err error) {
	defer func() { err = errors.Join(err, r.close()) }()
	c := &replica{format: r.format, meta: r.meta.clone()}
	if r.f == nil {
		return c, nil
	}
	f, err := tempFile(dir)
	if err != nil {
		return c, fmt.Errorf("a copy of the state: %w", err)
	}
	c.f = f
	info, err := r.f.Stat()
	if err == nil {
		_, err = io.Copy(f, io.NewSectionReader(r.f, 0, info.Size()))
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return c, fmt.Errorf("a copy of the state: %w", err)
	}
	return c, nil
}

// close gives the file up. A second call does nothing.
func (r *replica) close() error {
	if r == nil || r.f == nil {
		return nil
	}
	err := r.f.Close()
	r.f = nil
	return err
}
