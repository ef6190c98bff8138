package state

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Tx is a transaction: the changes of one commit, as data. Of several changes to one
// record the last counts. It is for one goroutine.
//
// Applied in this order, it gives the state after it: small objects are collected,
// the partitions of whole tables are wiped, then records are put and deleted.
type Tx struct {
	serial     uint64 // that it makes
	before     uint64 // serial of the state that it is applied to
	lineage    string
	generation uint64 // of the lease that it is made under; 0 without one
	replaces   bool   // all that was there goes first
	successor  string // where the state was moved to, in its last transaction

	puts    [bucketCount]map[string][]byte // key -> sealed value, nil to delete
	wiped   [][]byte                       // prefixes of partitions that go before the puts
	collect [][]byte                       // SHA-256 of small objects that go before the puts
}

func newTx(serial uint64, h Head) *Tx {
	tx := &Tx{serial: serial, before: h.Serial, lineage: h.Lineage, generation: h.Generation}
	for b := range tx.puts {
		tx.puts[b] = map[string][]byte{}
	}
	return tx
}

// Serial returns the number that the transaction gets, the first being 1. One
// that changes nothing is not written and leaves the number to the next.
func (tx *Tx) Serial() uint64 { return tx.serial }

// Lineage returns the lineage of the state, also in the transaction that makes
// it.
func (tx *Tx) Lineage() string { return tx.lineage }

func (tx *Tx) empty() bool {
	for _, m := range tx.puts {
		if len(m) > 0 {
			return false
		}
	}
	return len(tx.wiped) == 0 && len(tx.collect) == 0 && !tx.replaces
}

// maxKey is what bbolt takes.
const maxKey = 32768

func (tx *Tx) put(b bucket, key []byte, record any) error {
	payload, err := encode(record)
	if err != nil {
		return fmt.Errorf("encode record %q of %s: %w", key, b, err)
	}
	return tx.putBytes(b, key, payload)
}

func (tx *Tx) putBytes(b bucket, key, payload []byte) error {
	if len(key) == 0 || len(key) > maxKey {
		return fmt.Errorf("a record of %s needs a name of 1 to %d bytes, this one has %d", b, maxKey, len(key))
	}
	tx.puts[b][string(key)] = seal(b, key, payload)
	return nil
}

func (tx *Tx) remove(b bucket, key []byte) error {
	if len(key) == 0 {
		return fmt.Errorf("a record of %s without a name", b)
	}
	tx.puts[b][string(key)] = nil
	return nil
}

// PutTable stores t under its name.
func (tx *Tx) PutTable(t *Table) error { return tx.put(bTables, []byte(t.Name), t) }

// DeleteTable removes a table and all its partitions, those that this
// transaction put so far too.
func (tx *Tx) DeleteTable(name string) error {
	if err := tx.remove(bTables, []byte(name)); err != nil {
		return err
	}
	tx.DeletePartitions(name)
	return nil
}

// DeletePartitions removes all partitions of a table, those that this
// transaction put so far too. Others can be put afterwards.
func (tx *Tx) DeletePartitions(table string) {
	prefix := partitionPrefix(table)
	maps.DeleteFunc(tx.puts[bPartitions], func(key string, _ []byte) bool {
		t, _, ok := splitPartitionKey([]byte(key))
		return ok && string(t) == table
	})
	tx.wiped = append(tx.wiped, prefix)
}

// PutPartition stores p under its table and ordinal.
func (tx *Tx) PutPartition(table string, p *Partition) error {
	if table == "" {
		return errors.New("a partition of a table without a name")
	}
	return tx.put(bPartitions, partitionKey(table, p.Ordinal), p)
}

// DeletePartition removes one partition; that there is none is no error.
func (tx *Tx) DeletePartition(table string, ordinal uint32) error {
	return tx.remove(bPartitions, partitionKey(table, ordinal))
}

// PutDump stores d under its id.
func (tx *Tx) PutDump(d *Dump) error { return tx.put(bDumps, dumpKey(d.ID), d) }

// DeleteDump removes a dump; that there is none is no error.
func (tx *Tx) DeleteDump(id int64) error { return tx.remove(bDumps, dumpKey(id)) }

// SetMapping stores the newest good mapping; nil removes it.
func (tx *Tx) SetMapping(m *Mapping) error {
	if m == nil {
		return tx.remove(bMapping, []byte(mappingKey))
	}
	return tx.put(bMapping, []byte(mappingKey), m)
}

// PutPublish stores p under its table.
func (tx *Tx) PutPublish(p *Publish) error { return tx.put(bPublishes, []byte(p.Table), p) }

// DeletePublish removes the publish list of a table; that there is none is no
// error.
func (tx *Tx) DeletePublish(table string) error { return tx.remove(bPublishes, []byte(table)) }

// manifestsKey is the setting that is a Ref.
const manifestsKey = "manifests"

// SetManifests stores which object holds the manifests that were read.
func (tx *Tx) SetManifests(r Ref) error { return tx.put(bSettings, []byte(manifestsKey), r) }

// PutSetting stores any bytes under a name of the caller's.
func (tx *Tx) PutSetting(key string, value []byte) error {
	return tx.putBytes(bSettings, []byte(key), value)
}

// DeleteSetting removes a setting; that there is none is no error.
func (tx *Tx) DeleteSetting(key string) error { return tx.remove(bSettings, []byte(key)) }

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
	return tx.putBytes(bInline, key, o.payload)
}

// CollectInline removes the small objects of a snapshot that keep denies, unless this
// transaction puts them. While anybody reads a local state, it removes nothing.
func (tx *Tx) CollectInline(snap *Snapshot, keep func(digest string) bool) {
	for _, sum := range snap.inline {
		if !keep(hex.EncodeToString(sum)) {
			tx.collect = append(tx.collect, sum)
		}
	}
}

// sortedKeys returns the keys of a bucket's changes in the order of the file.
func (tx *Tx) sortedKeys(b bucket) []string {
	return slices.Sorted(maps.Keys(tx.puts[b]))
}
