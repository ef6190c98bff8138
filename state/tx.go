package state

import (
	"encoding/hex"
	"errors"
	"fmt"

	"reconcile/state/internal/kv"
)

// Tx is a transaction: the changes of one commit. Of several changes to one record the
// last counts. It is for one goroutine.
type Tx struct{ changes *kv.Changes }

func newTx(serial uint64, h Head) *Tx {
	return &Tx{kv.NewChanges(serial, h.Serial, h.Lineage, h.Generation)}
}

// Serial returns the number that the transaction gets, the first being 1. One
// that changes nothing is not written and leaves the number to the next.
func (tx *Tx) Serial() uint64 { return tx.changes.Serial }

// Lineage returns the lineage of the state, also in the transaction that makes
// it.
func (tx *Tx) Lineage() string { return tx.changes.Lineage }

// Changes returns what a backend applies. Nothing is put any more.
func (tx *Tx) Changes() *kv.Changes { return tx.changes }

// PutTable stores t under its name.
func (tx *Tx) PutTable(t *Table) error { return tx.changes.Put(kv.Tables, []byte(t.Name), t) }

// DeleteTable removes a table and all its partitions, those that this
// transaction put so far too.
func (tx *Tx) DeleteTable(name string) error {
	if err := tx.changes.Remove(kv.Tables, []byte(name)); err != nil {
		return err
	}
	tx.DeletePartitions(name)
	return nil
}

// DeletePartitions removes all partitions of a table, those that this
// transaction put so far too. Others can be put afterwards.
func (tx *Tx) DeletePartitions(table string) { tx.changes.Wipe(partitionPrefix(table)) }

// PutPartition stores p under its table and ordinal.
func (tx *Tx) PutPartition(table string, p *Partition) error {
	if table == "" {
		return errors.New("a partition of a table without a name")
	}
	return tx.changes.Put(kv.Partitions, partitionKey(table, p.Ordinal), p)
}

// DeletePartition removes one partition; that there is none is no error.
func (tx *Tx) DeletePartition(table string, ordinal uint32) error {
	return tx.changes.Remove(kv.Partitions, partitionKey(table, ordinal))
}

// PutDump stores d under its id.
func (tx *Tx) PutDump(d *Dump) error { return tx.changes.Put(kv.Dumps, dumpKey(d.ID), d) }

// DeleteDump removes a dump; that there is none is no error.
func (tx *Tx) DeleteDump(id int64) error { return tx.changes.Remove(kv.Dumps, dumpKey(id)) }

// SetMapping stores the newest good mapping; nil removes it.
func (tx *Tx) SetMapping(m *Mapping) error {
	if m == nil {
		return tx.changes.Remove(kv.Mapping, []byte(mappingKey))
	}
	return tx.changes.Put(kv.Mapping, []byte(mappingKey), m)
}

// PutPublish stores p under its table.
func (tx *Tx) PutPublish(p *Publish) error { return tx.changes.Put(kv.Publishes, []byte(p.Table), p) }

// DeletePublish removes the publish list of a table; that there is none is no
// error.
func (tx *Tx) DeletePublish(table string) error {
	return tx.changes.Remove(kv.Publishes, []byte(table))
}

// SetManifests stores which object holds the manifests that were read.
func (tx *Tx) SetManifests(r Ref) error { return tx.changes.Put(kv.Settings, []byte(manifestsKey), r) }

// PutSetting stores any bytes under a name of the caller's.
func (tx *Tx) PutSetting(key string, value []byte) error {
	return tx.changes.PutBytes(kv.Settings, []byte(key), value)
}

// DeleteSetting removes a setting; that there is none is no error.
func (tx *Tx) DeleteSetting(key string) error { return tx.changes.Remove(kv.Settings, []byte(key)) }

// PutObject joins a finished object to the transaction. It is needed for every
// new object that a record names: a small one is stored by it. A bulky one is
// durable already, then it does nothing.
func (tx *Tx) PutObject(o *Sealed) error {
	if o.payload == nil {
		return nil
	}
	key, err := hex.DecodeString(o.Ref.Digest)
	if err != nil {
		return fmt.Errorf("digest of an object: %w", err)
	}
	return tx.changes.PutBytes(kv.Inline, key, o.payload)
}

// CollectInline removes small objects, by their digests (see Lock.Unnamed and
// Snapshot.InlineBut), unless this transaction puts them. While anybody reads a local
// state, it removes nothing.
func (tx *Tx) CollectInline(digests [][]byte) {
	tx.changes.Collect = append(tx.changes.Collect, digests...)
}
