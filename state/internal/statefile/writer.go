package statefile

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"reconcile/state/internal/kv"
)

// writer applies the changes of a transaction within one of bbolt.
type writer struct {
	changes  *kv.Changes
	meta     Meta
	collects bool // small objects may go
	changed  bool
}

func (w *writer) apply(btx *bolt.Tx) error {
	for b := range kv.BucketCount {
		if err := w.applyBucket(btx, b); err != nil {
			return fmt.Errorf("write %s: %w", b, err)
		}
	}
	if !w.changed {
		return nil
	}
	return writeMeta(btx, w.meta)
}

func writeMeta(btx *bolt.Tx, meta Meta) error {
	m, err := btx.CreateBucketIfNotExists([]byte(kv.Meta.String()))
	if err != nil {
		return err
	}
	payload, err := kv.Encode(meta)
	if err != nil {
		return err
	}
	return m.Put([]byte(metaKey), kv.Seal(kv.Meta, []byte(metaKey), payload))
}

func (w *writer) applyBucket(btx *bolt.Tx, b kv.Bucket) error {
	bb, err := btx.CreateBucketIfNotExists([]byte(b.String()))
	if err != nil {
		return err
	}
	t := w.meta.Tallies[b.String()]
	if w.changes.Replaces {
		if err := w.clear(bb, &t, b); err != nil {
			return err
		}
	}
	if b == kv.Partitions {
		if err := w.wipe(bb, &t); err != nil {
			return err
		}
	}
	if b == kv.Inline && w.collects {
		if err := w.collect(bb, &t); err != nil {
			return err
		}
	}
	for _, key := range w.changes.SortedKeys(b) {
		if err := w.set(bb, &t, []byte(key), w.changes.Puts[b][key]); err != nil {
			return err
		}
	}
	w.meta.Tallies[b.String()] = t
	return nil
}

// set puts a value, or deletes the key when it is nil, and keeps the tally.
func (w *writer) set(bb *bolt.Bucket, t *kv.Tally, key, value []byte) error {
	old := bb.Get(key)
	if bytes.Equal(old, value) && (old == nil) == (value == nil) {
		return nil
	}
	w.changed = true
	if old != nil {
		sum, err := kv.StoredSum(old)
		if err != nil {
			return err
		}
		t.Remove(key, sum)
	}
	if value == nil {
		return bb.Delete(key)
	}
	sum, err := kv.StoredSum(value)
	if err != nil {
		return err
	}
	t.Add(key, sum)
	return bb.Put(key, value)
}

// wipe deletes the partitions of whole tables, except those that the
// transaction puts again.
func (w *writer) wipe(bb *bolt.Bucket, t *kv.Tally) error {
	var doomed [][]byte
	for _, prefix := range w.changes.Wiped {
		c := bb.Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			if _, again := w.changes.Puts[kv.Partitions][string(k)]; !again {
				doomed = append(doomed, bytes.Clone(k))
			}
		}
	}
	return w.deleteAll(bb, t, doomed)
}

// collect deletes the small objects that the transaction no longer needs, except those
// that it puts again.
func (w *writer) collect(bb *bolt.Bucket, t *kv.Tally) error {
	var doomed [][]byte
	for _, k := range w.changes.Collect {
		if _, put := w.changes.Puts[kv.Inline][string(k)]; !put {
			doomed = append(doomed, k)
		}
	}
	return w.deleteAll(bb, t, doomed)
}

// clear deletes all records of a bucket, except those that the transaction puts again,
// and small objects that a reader may need.
func (w *writer) clear(bb *bolt.Bucket, t *kv.Tally, b kv.Bucket) error {
	w.changed = true // that it was replaced is a change
	if b == kv.Inline && !w.collects {
		return nil
	}
	var doomed [][]byte
	c := bb.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if _, again := w.changes.Puts[b][string(k)]; !again {
			doomed = append(doomed, bytes.Clone(k))
		}
	}
	return w.deleteAll(bb, t, doomed)
}

func (w *writer) deleteAll(bb *bolt.Bucket, t *kv.Tally, keys [][]byte) error {
	for _, k := range keys {
		if err := w.set(bb, t, k, nil); err != nil {
			return err
		}
	}
	return nil
}
