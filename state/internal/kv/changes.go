package kv

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Changes are what one transaction changes, as data. Of several changes to one record
// the last counts. They are for one goroutine.
//
// Applied in this order, they give the state after the transaction: small objects are
// collected, the partitions of whole tables are wiped, then records are put and deleted.
type Changes struct {
	Serial     uint64 // that the transaction makes
	Before     uint64 // serial of the state that it is applied to
	Lineage    string
	Generation uint64 // of the lease that it is made under; 0 without one
	Replaces   bool   // all that was there goes first
	Successor  string // where the state was moved to, in its last transaction; not encoded

	Puts    [BucketCount]map[string][]byte // key -> sealed value, nil to delete
	Wiped   [][]byte                       // prefixes of partitions that go before the puts
	Collect [][]byte                       // SHA-256 of small objects that go before the puts
}

// NewChanges returns those of a transaction that changes nothing yet.
func NewChanges(serial, before uint64, lineage string, generation uint64) *Changes {
	c := &Changes{Serial: serial, Before: before, Lineage: lineage, Generation: generation}
	for b := range c.Puts {
		c.Puts[b] = map[string][]byte{}
	}
	return c
}

// Empty reports whether the transaction changes nothing.
func (c *Changes) Empty() bool {
	for _, m := range c.Puts {
		if len(m) > 0 {
			return false
		}
	}
	return len(c.Wiped) == 0 && len(c.Collect) == 0 && !c.Replaces
}

// MaxKey is the length in bytes of the longest key: what bbolt takes.
const MaxKey = 32768

// Put stores a record, encoded and sealed.
func (c *Changes) Put(b Bucket, key []byte, record any) error {
	payload, err := Encode(record)
	if err != nil {
		return fmt.Errorf("encode record %q of %s: %w", key, b, err)
	}
	return c.PutBytes(b, key, payload)
}

// PutBytes stores a payload, sealed.
func (c *Changes) PutBytes(b Bucket, key, payload []byte) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("a record of %s needs a name of 1 to %d bytes, this one has %d", b, MaxKey, len(key))
	}
	c.Puts[b][string(key)] = Seal(b, key, payload)
	return nil
}

// Remove deletes a record.
func (c *Changes) Remove(b Bucket, key []byte) error {
	if len(key) == 0 {
		return fmt.Errorf("a record of %s without a name", b)
	}
	c.Puts[b][string(key)] = nil
	return nil
}

// Wipe deletes the partitions whose keys begin with prefix, those that were put so far,
// too. Others can be put afterwards.
func (c *Changes) Wipe(prefix []byte) {
	maps.DeleteFunc(c.Puts[Partitions], func(key string, _ []byte) bool { return strings.HasPrefix(key, string(prefix)) })
	c.Wiped = append(c.Wiped, prefix)
}

// SortedKeys returns the keys of a bucket's changes in the order of the file.
func (c *Changes) SortedKeys(b Bucket) []string {
	return slices.Sorted(maps.Keys(c.Puts[b]))
}
